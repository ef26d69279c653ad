"""Seats in proportion, exactly."""

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from vision_pipeline.data.splits import largest_remainder

sizes_and_total = st.lists(st.integers(0, 400), min_size=1, max_size=12).flatmap(
    lambda sizes: st.tuples(st.just(sizes), st.integers(0, sum(sizes)))
)


@settings(deadline=None)
@given(sizes_and_total)
def test_the_sum_is_exact_and_every_share_within_one(case: tuple[list[int], int]) -> None:
    sizes, total = case
    shares = largest_remainder(sizes, total, [0] * len(sizes), sizes)
    assert sum(shares) == total
    for size, share in zip(sizes, shares, strict=True):
        assert abs(share - Fraction(size * total, max(1, sum(sizes)))) < 1


@settings(deadline=None)
@given(sizes_and_total, st.data())
def test_bounds_hold_and_the_sum_is_the_nearest_they_allow(case: tuple[list[int], int], data: st.DataObject) -> None:
    sizes, total = case
    least = [data.draw(st.integers(0, size)) for size in sizes]
    most = [data.draw(st.integers(low, size)) for low, size in zip(least, sizes, strict=True)]
    shares = largest_remainder(sizes, total, least, most)
    assert all(low <= share <= high for low, share, high in zip(least, shares, most, strict=True))
    assert sum(shares) == min(max(total, sum(least)), sum(most))


@settings(deadline=None)
@given(sizes_and_total, st.randoms())
def test_the_order_of_groups_changes_only_ties(case: tuple[list[int], int], random: object) -> None:
    sizes, total = case
    order = list(range(len(sizes)))
    random.shuffle(order)  # type: ignore[attr-defined]
    straight = largest_remainder(sizes, total, [0] * len(sizes), sizes)
    shuffled = largest_remainder(
        [sizes[group] for group in order], total, [0] * len(sizes), [sizes[group] for group in order]
    )
    for place, group in enumerate(order):
        assert abs(shuffled[place] - straight[group]) <= 1
    assert sum(shuffled) == sum(straight)


def test_largest_remainders_win() -> None:
    # quotas 4.7, 3.1, 2.2 of 10
    assert largest_remainder([47, 31, 22], 10, [0, 0, 0], [47, 31, 22]) == [5, 3, 2]
    # quotas 0.5 each of 2: the first two
    assert largest_remainder([5, 5, 5, 5], 2, [0] * 4, [5] * 4) == [1, 1, 0, 0]


def test_mnist_holds_out_6000() -> None:
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    shares = largest_remainder(counts, 6000, [1] * 10, counts)
    assert shares == [592, 674, 596, 613, 584, 542, 592, 627, 585, 595]

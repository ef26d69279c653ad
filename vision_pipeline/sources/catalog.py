"""The catalogue of public data sets and of the backbones' weights, as typed data."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from vision_pipeline.config.fields import Name, StrictModel, format_problem
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.files import sha256_file

WEIGHTS_CATALOG = Path(__file__).parents[2] / "data" / "catalog" / "weights.yaml"

ReleaseFormat = Literal["idx", "cifar-binary", "zip", "parquet", "text"]
Url = Annotated[str, StringConstraints(pattern=r"^https://[^\s?#]+$")]
# file names are joined to folders: none may hold a slash or start with a dot
FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Sha256Prefix = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
ChannelValues = Annotated[list[float], Field(min_length=3, max_length=3)]
ByteCount = Annotated[int, Field(ge=1)]


class CatalogMismatch(Exception):
    """Files that exist but do not fit the catalogue; the message names the difference."""


class RemoteFile(StrictModel):
    """One file of a release; one without a checksum is verified by its pixels."""

    name: FileName
    size: ByteCount | None = None
    sha256: Sha256 | None = None


class ParquetColumns(StrictModel):
    """The names of the columns of a Parquet release."""

    image: str
    label: str


class Release(StrictModel):
    """One published form of a data set; each of `urls` is a folder that holds `files`."""

    format: ReleaseFormat
    urls: Annotated[list[Url], Field(min_length=1)]
    files: Annotated[list[RemoteFile], Field(min_length=1)]
    mirror_folders: Annotated[list[str], Field(default_factory=list)]
    columns: ParquetColumns | None = None
    limit: ByteCount = 1_000_000_000

    @model_validator(mode="after")
    def _check_complete(self) -> "Release":
        if any(not url.endswith("/") for url in self.urls):
            raise ValueError("urls are folders: each must end in /")
        if (self.format == "parquet") != (self.columns is not None and bool(self.mirror_folders)):
            raise ValueError("a parquet release, and no other, has columns and mirror_folders")
        if self.format != "parquet" and any(file.sha256 is None for file in self.files):
            raise ValueError("every file of an archive release needs its sha256")
        if self.format == "text" and len(self.files) != 1:
            raise ValueError("a text release is one file")
        return self


class SplitPixelDigests(StrictModel):
    """The MD5 of a split's decoded arrays; `also_at` holds the starts of equal blocks in another published order."""

    images: Md5
    labels: Md5
    also_at: Annotated[list[int], Field(default_factory=list)]


class PixelDigests(StrictModel):
    """The digests of the official release's decoded arrays, which identify any lossless copy."""

    shape: Annotated[list[int], Field(min_length=2, max_length=3)]
    train: SplitPixelDigests
    test: SplitPixelDigests


class CatalogEntry(StrictModel):
    """A public data set; a text has neither class names nor rows."""

    name: Name
    licence: str
    class_names: Annotated[list[str], Field(default_factory=list)]
    rows: Annotated[dict[Literal["train", "test"], Annotated[int, Field(ge=1)]], Field(default_factory=dict)]
    releases: Annotated[list[Release], Field(min_length=1)]
    pixels: PixelDigests | None = None

    @model_validator(mode="after")
    def _check_complete(self) -> "CatalogEntry":
        is_text = all(release.format == "text" for release in self.releases)
        if not is_text and (len(self.class_names) < 2 or not self.rows):
            raise ValueError("images need class_names, two at least, and rows")
        return self


class CopyEntry(StrictModel):
    """The copy task: sequences that the project draws, whose target is the first symbol."""

    name: Name
    symbols: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=2, max_length=100)]
    rows: dict[Literal["train", "val", "test"], Annotated[int, Field(ge=1, le=1_000_000)]]

    @model_validator(mode="after")
    def _check_symbols_and_rows(self) -> "CopyEntry":
        if len(set(self.symbols)) < len(self.symbols) or len(self.rows) < 3:
            raise ValueError("symbols must differ, and rows name train, val and test")
        return self


class WeightsEntry(StrictModel):
    """Pretrained weights of one network, by URL or inside an installed package.

    `mean` and `std` belong to the inputs that it was trained on, RGB, on the scale 0 to 1.
    """

    licence: str
    file: FileName
    sha256: Sha256Prefix | None
    limit: ByteCount
    mean: ChannelValues
    std: ChannelValues
    url: Url | None = None
    package: str | None = None


def check_sha256(path: Path, expected: str | None) -> None:
    """Check the SHA-256 of a file.

    Args:
        path: the file.
        expected: hexadecimal digits that the SHA-256 must begin with; None: any.

    Raises:
        CatalogMismatch: the file has another SHA-256.
    """
    if expected and not (digest := sha256_file(path)).startswith(expected):
        raise CatalogMismatch(f"{path.name} has the SHA-256 {digest}, expected {expected}")


def read_entry(path: Path) -> CatalogEntry:
    """Read and validate one data set's entry.

    Raises:
        ConfigError: the file is missing, is not YAML or breaks the schema; the message names the file and the key.
    """
    return _read_validated(path, TypeAdapter(CatalogEntry))


def read_copy_entry(path: Path) -> CopyEntry:
    """Read and validate the entry of a copy task; errors are those of `read_entry`."""
    entry: CopyEntry = _read_validated(path, TypeAdapter(CopyEntry))
    return entry


def read_weights_catalog() -> dict[str, WeightsEntry]:
    """Read and validate the catalogue's entries of weights, by `library/network`; errors are those of `read_entry`."""
    return _read_validated(WEIGHTS_CATALOG, TypeAdapter(dict[str, WeightsEntry]))


def _read_validated(path: Path, adapter: TypeAdapter[Any]) -> Any:
    from ruamel.yaml import YAMLError

    from vision_pipeline.config.load import safe_load

    try:
        return adapter.validate_python(safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        lines = [f"  {format_problem(details)}" for details in error.errors()]
        raise ConfigError(f"{path} is not a valid catalogue entry:\n" + "\n".join(lines)) from error
    except (OSError, YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not a readable catalogue entry: {error}") from error

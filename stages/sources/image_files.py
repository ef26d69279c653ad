"""Image files by their names, and what systems and tools leave beside them: one list for training and prediction."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import NoReturn

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
CONVERT = "convert them to JPEG or PNG, such as with ImageMagick (`mogrify -format jpg FILES`)"
_FORMATS = {
    "HEIC": "heic heif heics heifs hif",
    "AVIF": "avif avifs",
    "JPEG XL": "jxl",
    "JPEG 2000": "jp2 j2k j2c jpc jpf jpx",
    "JPEG XR": "jxr wdp hdp",
    "MPO": "mpo jps",
    "APNG": "apng",
    "PNM": "ppm pgm pbm pnm pam pfm",
    "camera raw": (
        "3fr arw cr2 cr3 crw dcr dng erf gpr iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
    ),
    "SVG": "svg svgz",
    "EPS": "eps",
    "Photoshop": "psd psb",
    "GIMP": "xcf",
    "TGA": "tga",
    "DDS": "dds",
    "OpenEXR": "exr",
    "Radiance": "hdr",
    "PCX": "pcx",
    "icon": "ico cur icns",
    "DICOM": "dcm",
    "FITS": "fits fit",
}
_UNREAD = {f".{suffix}": kind for kind, suffixes in _FORMATS.items() for suffix in suffixes.split()}
HIDDEN = "names with a dot in front"  # those of systems and tools are counted apart
_SYSTEM = (
    *("._*", ".DS_Store", "__MACOSX", "Icon\r", ".AppleDouble", ".Spotlight-V100", ".fseventsd"),  # macOS
    *(".DocumentRevisions-V100", ".TemporaryItems", "Temporary Items", "Network Trash Folder"),
    *("Thumbs.db*", "ehthumbs*.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information"),  # Windows
    "FOUND.[0-9][0-9][0-9]",
    *("@eaDir", "SYNOPHOTO_THUMB*", "*@SynoEAStream", "*@SynoResource", "#recycle", "#snapshot", "@tmp"),  # Synology
    *("@Recycle", "@Recently-Snapshot", ".@__*"),  # QNAP
    *(".snapshot*", "~snapshot", ".zfs", ".nfs*", ".fuse_hidden*"),  # file servers
    *("lost+found", ".Trash*", ".thumbnails", ".xvpics", ".directory"),  # Linux
    *(".nomedia", ".trashed-*", ".pending-*", ".picasa*"),  # phones and albums
    *(".cache", ".ipynb_checkpoints", ".venv", ".idea", ".vscode", "__pycache__"),  # notebooks and editors
    *(".git*", ".svn", ".hg", ".dvc*", "*.dvc"),  # versions
    *(".dropbox*", ".stfolder*", ".stversions", ".syncthing*", ".sync*"),  # synchronisation
)
_SYSTEM_NAME = re.compile("|".join(translate(pattern.casefold()) for pattern in _SYSTEM))
_SHOWN_SUFFIX = re.compile(r"\.[\w-]{1,10}", re.ASCII)
_SHOWN = 5  # kinds of what is left out


@dataclass
class LeftOut:
    """The files of a folder that are not used, by the reason.

    Attributes:
        unread: images in formats that are not read.
        loose: images that lie in no class folder.
        others: files that are no images by their names.
        skipped: how many files and folders are hidden or of a system, by the pattern of their names.
    """

    unread: list[Path] = field(default_factory=list)
    loose: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def lines(self, folder: Path) -> Iterator[str]:
        """Yield a line for each reason, with counts."""
        if self.unread:
            yield f"{folder}: left out because their formats are not read: {suffixes(self.unread)}; {CONVERT}"
        if self.loose:
            yield f"{folder}: left out because they lie in no class folder: {_kinds(self.loose)}"
        if self.others:
            yield f"{folder}: left out as no images by their names: {_kinds(self.others)}"
        if self.skipped:
            yield f"{folder}: skipped as hidden or of the system: {_counts(self.skipped)}"

    def rejects(self) -> Iterator[tuple[Path, str]]:
        """Yield each image that is not used with the reason."""
        yield from ((file, unread_format(file) or "not read") for file in self.unread)
        yield from ((file, "it lies in no class folder") for file in self.loose)


def skipped_as(name: str) -> str | None:
    """Return the pattern by which a file or folder of this name is skipped, None where it is not."""
    lower = name.casefold()
    if not (lower.startswith(".") or _SYSTEM_NAME.fullmatch(lower)):
        return None
    return next((pattern for pattern in _SYSTEM if fnmatchcase(lower, pattern.casefold())), HIDDEN)


def is_image(name: str) -> bool:
    """Return whether a file of this name is an image, in a format that is read or in another one."""
    suffix = Path(name).suffix.lower()
    return suffix in SUFFIXES or suffix in _UNREAD


def unread_format(file: Path) -> str | None:
    """Return why an image with this suffix is not read, None where it may be one that is."""
    kind = _UNREAD.get(file.suffix.lower())
    return f"the format is not read ({kind}); convert it to JPEG or PNG" if kind else None


def files_below(folder: Path, left: LeftOut | None = None) -> list[Path]:
    """Return every file and link below `folder`, sorted, but for hidden and system ones, which `left` counts.

    Links to folders are returned, too, and not followed. Pipes and devices are not returned.

    Raises:
        OSError: a folder may not be read.
    """
    files, left = [], left or LeftOut()
    for here, folders, names in os.walk(folder, onerror=_raise):
        left.skipped.update(pattern for name in [*folders, *names] if (pattern := skipped_as(name)))
        folders[:] = [name for name in folders if not skipped_as(name)]
        paths = (Path(here, name) for name in [*folders, *names] if not skipped_as(name))
        files += [path for path in paths if path.is_symlink() or path.is_file()]
    return sorted(files)


def only_images(files: Iterable[Path], left: LeftOut) -> list[Path]:
    """Return the files that are images by their names; the others are noted in `left`."""
    images: list[Path] = []
    for file in files:
        suffix = file.suffix.lower()
        usable = suffix in SUFFIXES and not file.is_dir()  # a link may lead to a folder
        (images if usable else left.unread if suffix in _UNREAD else left.others).append(file)
    return images


def suffixes(files: Iterable[Path]) -> str:
    """Return how often each suffix occurs, the most frequent ones first: `.heic 12, .cr2 1`."""
    lower = (file.suffix.lower() for file in files)
    return _counts(Counter(suffix if _SHOWN_SUFFIX.fullmatch(suffix) else "other names" for suffix in lower))


def _counts(kinds: Counter[str]) -> str:
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[_SHOWN:])
    listed = [f"{kind.strip()} {count:,}" for kind, count in ordered[:_SHOWN]]
    return ", ".join([*listed, f"others {rest:,}"] if rest else listed)


def _kinds(files: list[Path]) -> str:
    """Return the suffixes and the first of the files, without letters that a terminal would obey."""
    first = files[0].as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"{suffixes(files)}, such as {''.join(letter if letter.isprintable() else '?' for letter in first)}"


def _raise(error: OSError) -> NoReturn:
    raise error

"""Recognize image files by their names, and the files that systems and tools create beside them.

Training and prediction use the same lists.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase, translate
from pathlib import Path
from typing import NoReturn

from vision_pipeline.core.limits import IMAGE_SUFFIXES

CONVERT_HINT = "convert them to JPEG or PNG, such as with ImageMagick (`mogrify -format jpg FILES`)"
_UNSUPPORTED_FORMATS = {
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
_UNSUPPORTED_SUFFIXES = {
    f".{suffix}": kind for kind, suffixes in _UNSUPPORTED_FORMATS.items() for suffix in suffixes.split()
}
HIDDEN_LABEL = "names with a dot in front"  # names of systems and tools are counted separately
_SYSTEM_PATTERNS = (
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
_SYSTEM_NAME = re.compile("|".join(translate(pattern.casefold()) for pattern in _SYSTEM_PATTERNS))
_PRINTABLE_SUFFIX = re.compile(r"\.[\w-]{1,10}", re.ASCII)
_MAX_LISTED = 5  # suffixes or patterns in a message


@dataclass
class UnusedFiles:
    """The files of a folder that are not used, by the reason.

    Attributes:
        unsupported: images in formats that are not read.
        outside_classes: images in no class folder.
        others: files that are no images by their names.
        skipped: number of hidden and system files and folders, by the pattern of their names.
    """

    unsupported: list[Path] = field(default_factory=list)
    outside_classes: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def iter_lines(self, folder: Path) -> Iterator[str]:
        """Yield a line for each reason, with counts."""
        if self.unsupported:
            suffixes = format_suffix_counts(self.unsupported)
            yield f"{folder}: left out because their formats are not read: {suffixes}; {CONVERT_HINT}"
        if self.outside_classes:
            yield f"{folder}: left out because they lie in no class folder: {_describe_files(self.outside_classes)}"
        if self.others:
            yield f"{folder}: left out as no images by their names: {_describe_files(self.others)}"
        if self.skipped:
            yield f"{folder}: skipped as hidden or of the system: {_format_counts(self.skipped)}"

    def iter_rejects(self) -> Iterator[tuple[Path, str]]:
        """Yield each image that is not used, with the reason."""
        yield from ((file, explain_unsupported(file) or "not read") for file in self.unsupported)
        yield from ((file, "it lies in no class folder") for file in self.outside_classes)


def match_skip_pattern(name: str) -> str | None:
    """Return the pattern by which a file or folder of this name is skipped, None where it is not."""
    lower = name.casefold()
    if not (lower.startswith(".") or _SYSTEM_NAME.fullmatch(lower)):
        return None
    return next((pattern for pattern in _SYSTEM_PATTERNS if fnmatchcase(lower, pattern.casefold())), HIDDEN_LABEL)


def is_image(name: str) -> bool:
    """Return whether a file of this name is an image, in a supported format or another one."""
    suffix = Path(name).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in _UNSUPPORTED_SUFFIXES


def explain_unsupported(file: Path) -> str | None:
    """Return why an image with this suffix is not read; None where its format may be supported."""
    kind = _UNSUPPORTED_SUFFIXES.get(file.suffix.lower())
    return f"the format is not read ({kind}); convert it to JPEG or PNG" if kind else None


def list_files(folder: Path, unused: UnusedFiles | None = None) -> list[Path]:
    """Return every file and link below `folder`, sorted, except hidden and system ones, which `unused` counts.

    Links to folders are returned, too, but not followed. Pipes and devices are not returned.

    Raises:
        OSError: a folder may not be read.
    """
    files, unused = [], unused or UnusedFiles()
    for parent, folders, names in os.walk(folder, onerror=_raise):
        unused.skipped.update(pattern for name in [*folders, *names] if (pattern := match_skip_pattern(name)))
        folders[:] = [name for name in folders if not match_skip_pattern(name)]
        paths = (Path(parent, name) for name in [*folders, *names] if not match_skip_pattern(name))
        files += [path for path in paths if path.is_symlink() or path.is_file()]
    return sorted(files)


def select_images(files: Iterable[Path], unused: UnusedFiles) -> list[Path]:
    """Return the files that are images by their names; the others are added to `unused`."""
    images: list[Path] = []
    for file in files:
        suffix = file.suffix.lower()
        usable = suffix in IMAGE_SUFFIXES and not file.is_dir()  # a link may lead to a folder
        (images if usable else unused.unsupported if suffix in _UNSUPPORTED_SUFFIXES else unused.others).append(file)
    return images


def format_suffix_counts(files: Iterable[Path]) -> str:
    """Return the count of each suffix, the most frequent ones first: `.heic 12, .cr2 1`."""
    lower = (file.suffix.lower() for file in files)
    return _format_counts(Counter(suffix if _PRINTABLE_SUFFIX.fullmatch(suffix) else "other names" for suffix in lower))


def _format_counts(kinds: Counter[str]) -> str:
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in ordered[_MAX_LISTED:])
    listed = [f"{kind.strip()} {count:,}" for kind, count in ordered[:_MAX_LISTED]]
    return ", ".join([*listed, f"others {rest:,}"] if rest else listed)


def format_utf8_path(path: Path) -> str:
    """Return a path as UTF-8 text; bytes of a name that are no UTF-8 are replaced."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _describe_files(files: list[Path]) -> str:
    """Return the suffixes and the first of the files, without control characters, which a terminal would execute."""
    first = "".join(letter if letter.isprintable() else "?" for letter in format_utf8_path(files[0]))
    return f"{format_suffix_counts(files)}, such as {first}"


def _raise(error: OSError) -> NoReturn:
    raise error

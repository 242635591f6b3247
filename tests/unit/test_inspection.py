"""What image data is, whether it is safe and how large the disk inside is (image-v2 24.1)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calotype.images.errors import ContentRefused, LimitExceeded
from calotype.images.inspect import Found, Inspection, examine
from calotype.settings import Image as Limits
from tests.support import hostile
from tests.support.hostile import DESCRIPTOR, MIB, PARTITION, PROTECTIVE

UNSAFE = "Image failed safety checks"
FAILED = "Image format inspection failed"
CUT_OFF = "Incomplete file cannot be safety checked"
EXTENTS = 'RW 2048 SPARSE "disk.vmdk"'
TEXT = DESCRIPTOR.replace("monolithicSparse", "monolithicFlat").replace(EXTENTS, 'RW 2048 FLAT "/etc/shadow" 0')


def inspect(data: bytes, disk_format: str, *, piece: int = 10 * MIB, **limits: object) -> int | None:
    """Show the data to an inspection, piece by piece."""
    inspection = Inspection(disk_format, "bare", Limits(**limits))  # type: ignore[arg-type]
    for start in range(0, len(data), piece):
        inspection.feed(data[start : start + piece])
    return inspection.verdict()


def refusal(data: bytes, disk_format: str, **limits: object) -> str:
    """The text with which the data is refused."""
    with pytest.raises(ContentRefused) as refused:
        inspect(data, disk_format, **limits)
    return refused.value.text


UNSAFE_DATA = {
    "qcow2 with a backing file": ("qcow2", hostile.qcow2(backing=200)),
    "qcow2 with a data file": ("qcow2", hostile.qcow2(features=1 << 2)),
    "qcow2 with extended L2": ("qcow2", hostile.qcow2(features=1 << 4)),
    "qcow2 with an unknown feature": ("qcow2", hostile.qcow2(features=1 << 63)),
    "qcow2 of version 1": ("qcow2", hostile.qcow2(version=1)),
    "qcow2 of version 4": ("qcow2", hostile.qcow2(version=4)),
    "qcow2 larger than any offset": ("qcow2", hostile.qcow2(size=2**64 - 1)),
    "vmdk of another type": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("monolithicSparse", "monolithicFlat"))),
    "vmdk without a type": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("createType", "x"))),
    "vmdk with an endless type": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("monolithicSparse", "x" * 100))),
    "vmdk with two types": ("vmdk", hostile.vmdk('CREATETYPE="monolithicSparse"\n' + DESCRIPTOR)),
    "vmdk with a foreign extent": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("disk.vmdk", "/etc/shadow"))),
    "vmdk without extents": ("vmdk", hostile.vmdk(DESCRIPTOR.replace(EXTENTS, ""))),
    "vmdk with an unknown line": ("vmdk", hostile.vmdk(DESCRIPTOR + "include /etc/shadow\n")),
    "vmdk with a parent file": ("vmdk", hostile.vmdk(DESCRIPTOR + 'parentFileNameHint="/var/lib/x.vmdk"\n')),
    "vmdk with a parent": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("parentCID=ffffffff", "parentCID=1"))),
    "vmdk whose descriptor goes on": ("vmdk", hostile.vmdk(DESCRIPTOR + "#" * 20 * 512)),
    "vmdk that is its extents": ("vmdk", hostile.vmdk(capacity=0)),
    "vmdk beyond any offset": ("vmdk", hostile.vmdk(capacity=2**60)),
    "vmdk with another footer": ("vmdk", hostile.vmdk(footer=hostile.footer(hostile.sparse_header(sector=2)))),
    "vmdk with another version": ("vmdk", hostile.vmdk(footer=hostile.footer(hostile.sparse_header(version=2)))),
    "vmdk with no footer at its end": ("vmdk", hostile.vmdk(footer=hostile.footer(b"NONE".ljust(512, b"\0")))),
    "vmdk with a footer of a footer": (
        "vmdk",
        hostile.vmdk(footer=hostile.footer(hostile.sparse_header(table=2**64 - 1))),
    ),
    "vmdk with a bad marker": ("vmdk", hostile.vmdk(footer=hostile.footer(marker=2))),
    "vmdk with a bad end": ("vmdk", hostile.vmdk(footer=hostile.footer(end=1))),
    "vmdk that is text": ("vmdk", TEXT.encode()),
    "vmdk that is text which cannot be decoded": ("raw", b"# \xff\r\n\n" + TEXT.encode()),
    "qed": ("raw", b"QED\0".ljust(2048, b"\0")),
    "luks 2": ("raw", hostile.luks(2)),
    "a boot sector without partitions": ("raw", hostile.mbr()),
    "a bad boot flag": ("raw", hostile.mbr((0x81, b"\1\1\0", 0x83, 2048))),
    "a protective entry that begins elsewhere": ("raw", hostile.mbr((0, b"\0\2\0", 0xEE, 2))),
    "a protective entry with another CHS": ("raw", hostile.mbr((0, b"\0\1\0", 0xEE, 1))),
    "a protective entry among others": ("raw", hostile.mbr(PROTECTIVE, PARTITION)),
}


@pytest.mark.parametrize("name", UNSAFE_DATA)
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_unsafe_data_is_refused(name: str, required: bool) -> None:
    disk_format, data = UNSAFE_DATA[name]
    assert refusal(data, disk_format, require_format_match=required) == UNSAFE


@pytest.mark.parametrize("name", [name for name in UNSAFE_DATA if "offset" not in name])
def test_also_as_raw_and_however_it_is_cut(name: str) -> None:
    data = UNSAFE_DATA[name][1]
    for piece in (1, 10, 100, 511, 513, len(data)):
        if piece > 1 or len(data) < 3000:
            assert refusal(data, "raw", piece=piece) == UNSAFE


@pytest.mark.parametrize("name", UNSAFE_DATA)
def test_a_file_is_judged_as_a_stream(name: str, tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(UNSAFE_DATA[name][1])
    with pytest.raises(ContentRefused, match=UNSAFE):
        examine(file, Limits(require_format_match=False))


SAFE_DATA = {
    "qcow2": ("qcow2", hostile.qcow2(), MIB),
    "qcow2 of version 2": ("qcow2", hostile.qcow2(version=2, features=1 << 40), MIB),
    "qcow2 with known features": ("qcow2", hostile.qcow2(features=0b1011), MIB),
    "qcow2 without a size": ("qcow2", hostile.qcow2(size=0), None),
    "vmdk": ("vmdk", hostile.vmdk(), MIB),
    "vmdk in capitals": ("vmdk", hostile.vmdk(DESCRIPTOR.replace("monolithicSparse", "MONOLITHICSPARSE")), MIB),
    "vmdk of version 3": ("vmdk", hostile.vmdk(version=3), MIB),
    "vmdk with a footer": (
        "vmdk",
        # readers believe the footer
        hostile.vmdk(capacity=2, footer=hostile.footer(hostile.sparse_header(capacity=4096))),
        2 * MIB,
    ),
    "an ISO": ("iso", hostile.iso(blocks=17), 17 * 2048),
    "an ISO whose first descriptor is another": ("iso", hostile.iso(kind=0), 24 * 2048),
    "an ISO with a partition table": ("iso", hostile.iso(head=hostile.mbr(PARTITION)), 24 * 2048),
    "an ISO with a blank one": ("iso", hostile.iso(head=hostile.mbr()), 24 * 2048),
    "partitions": ("raw", hostile.mbr(PARTITION), 2048),
    "a GPT": ("raw", hostile.mbr(PROTECTIVE), 2048),
    "FAT": ("raw", hostile.fat(), 2048),
    "luks 1": ("raw", hostile.luks(1), 2048),
    "text": ("raw", b"plain" * 200 + b"Caf\xc3\xa9", 1005),
    "text that is no VMDK descriptor": ("raw", b"version=2 of a shell script\n" * 100, 2800),
    "nothing": ("raw", b"", None),
    "a kernel": ("aki", b"any", None),
    "a machine": ("ami", b"any", None),
    "qcow2 as raw": ("raw", hostile.qcow2(), 2048),
}


@pytest.mark.parametrize("name", SAFE_DATA)
def test_safe_data_is_measured(name: str) -> None:
    disk_format, data, size = SAFE_DATA[name]
    for piece in (7, 100, 1000, 10 * MIB):
        assert inspect(data, disk_format, piece=piece) == size


MISMATCHED = {
    "raw as qcow2": ("qcow2", b"any", "Image disk_format qcow2 does not match stream data raw"),
    "qcow2 as vmdk": ("vmdk", hostile.qcow2(), "Image disk_format vmdk does not match stream data qcow2"),
    "qcow2 as aki": ("aki", hostile.qcow2(), "Image disk_format aki does not match stream data qcow2"),
    "a boot sector as aki": ("aki", hostile.mbr(PARTITION), "Image disk_format aki does not match stream data gpt"),
    "a boot sector as ami": ("ami", hostile.mbr(), "Image disk_format ami does not match stream data gpt"),
    "a boot sector as iso": ("iso", hostile.mbr(PARTITION), "Image disk_format iso does not match stream data gpt"),
    "an ISO as qcow2": ("qcow2", hostile.iso(), "Image disk_format qcow2 does not match stream data iso"),
    "an ISO that is a qcow2 as well": (
        "iso",
        hostile.iso(head=hostile.qcow2()),
        "Multiple formats detected: iso, qcow2",
    ),
    "the same as raw": ("raw", hostile.iso(head=hostile.qcow2()), "Multiple formats detected: iso, qcow2"),
    "a cut vhd": ("vhd", b"conectix" + bytes(100), CUT_OFF),
    "a cut vhd as raw": ("raw", b"conectix" + bytes(100), CUT_OFF),
    "a cut vhdx": ("vhdx", b"vhdxfile" + bytes(300), CUT_OFF),
    "a vhdx of zeros": ("vhdx", b"vhdxfile".ljust(MIB, b"\0"), FAILED),
    "a cut qcow2": ("qcow2", hostile.qcow2()[:511], FAILED),
    "a cut qcow2 as raw": ("raw", hostile.qcow2(backing=1)[:120], FAILED),
    "a cut qed as raw": ("raw", b"QED\0", FAILED),
    "a cut vmdk": ("vmdk", hostile.vmdk()[:600], CUT_OFF),
    "a cut vmdk header as raw": ("raw", hostile.vmdk()[:60], CUT_OFF),
    "a vmdk with its descriptor elsewhere": ("vmdk", hostile.vmdk(sector=2), FAILED),
    "a vmdk of version 4": ("vmdk", hostile.vmdk(version=4), FAILED),
    "a cut luks": ("raw", hostile.luks(1)[:500], CUT_OFF),
}


@pytest.mark.parametrize("name", MISMATCHED)
def test_other_data_is_refused_unless_it_may_pass(name: str) -> None:
    disk_format, data, text = MISMATCHED[name]
    for piece in (10, MIB):
        assert refusal(data, disk_format, piece=piece) == text
        assert inspect(data, disk_format, piece=piece, require_format_match=False) is None


MADE = {
    "qcow2": ("qcow2", ()),
    "qcow2 of version 2": ("qcow2", ("-o", "compat=0.10")),
    "sparse vmdk": ("vmdk", ("-o", "subformat=monolithicSparse")),
    "streamed vmdk": ("vmdk", ("-o", "subformat=streamOptimized")),
    "vhd": ("vpc", ("-o", "force_size=on")),
    "vhdx": ("vhdx", ()),
    "fixed vhdx": ("vhdx", ("-o", "subformat=fixed")),
    "vdi": ("vdi", ()),
}
FORMAT = {"vpc": "vhd"}


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("piece", [65536, MIB, MIB + 77, 10 * MIB])
def test_what_qemu_makes_is_measured_however_it_is_cut(tmp_path: Path, name: str, piece: int) -> None:
    kind, options = MADE[name]
    path, disk_format = hostile.created(tmp_path, kind, *options), FORMAT.get(kind, kind)
    assert inspect(path.read_bytes(), disk_format, piece=piece) == 4 * MIB
    found = examine(path, Limits())
    assert found[:2] == (disk_format, 4 * MIB)
    assert found.subformat == {"sparse vmdk": "monolithicsparse", "streamed vmdk": "streamoptimized"}.get(name, "")


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("length", [1, 100, 511, 600, 40_000, 200_000])
def test_what_qemu_makes_cut_off_is_refused(tmp_path: Path, name: str, length: int) -> None:
    kind, options = MADE[name]
    data = hostile.created(tmp_path, kind, *options).read_bytes()[:length]
    complete = {"qcow2": 512, "vpc": 512, "vdi": 512, "vmdk": 21 * 512}.get(kind, 4 * MIB)
    if length < complete or (name == "streamed vmdk" and length < 21 * 512):
        refusal(data, FORMAT.get(kind, kind))


def test_what_qemu_makes_of_other_files_is_refused(tmp_path: Path) -> None:
    base = hostile.created(tmp_path, "qcow2")
    delta = ("-b", str(base), "-F", "qcow2")
    (tmp_path / "x").mkdir()
    makings = [
        ("qcow2", delta),
        ("qcow2", ("-o", "data_file=outside.raw")),
        ("qcow2", ("-o", "extended_l2=on")),
        ("vmdk", ("-o", "subformat=monolithicFlat")),
        ("vmdk", ("-o", "subformat=twoGbMaxExtentSparse")),
        ("qed", ()),
    ]
    for kind, options in makings:
        data = hostile.created(tmp_path / "x", kind, *options).read_bytes()
        for disk_format in {kind, "raw"} - {"qed"}:
            assert refusal(data, disk_format, require_format_match=False) == UNSAFE
    parent = hostile.created(tmp_path, "vmdk")
    data = hostile.created(tmp_path / "x", "vmdk", "-b", str(parent), "-F", "vmdk").read_bytes()
    assert refusal(data, "vmdk") == UNSAFE


def test_partition_tables_that_an_operator_tolerates() -> None:
    blank, protective = hostile.mbr(), hostile.mbr(PROTECTIVE, PARTITION)
    assert inspect(blank, "raw", gpt_safety_checks_nonfatal=("mbr",)) == 2048
    assert inspect(protective, "raw", gpt_safety_checks_nonfatal=("mbr",)) == 2048
    assert inspect(protective, "raw", gpt_safety_checks_nonfatal=("gptmbr",)) == 2048
    assert refusal(blank, "raw", gpt_safety_checks_nonfatal=("gptmbr",)) == UNSAFE
    assert refusal(hostile.luks(2), "raw", gpt_safety_checks_nonfatal=("mbr", "gptmbr")) == UNSAFE


def test_the_largest_disk_inside() -> None:
    assert inspect(hostile.qcow2(size=MIB), "qcow2", virtual_size_cap=MIB) == MIB
    for data, disk_format in ((hostile.qcow2(size=MIB + 1), "qcow2"), (bytes(MIB + 1), "raw")):
        with pytest.raises(LimitExceeded, match=f"{MIB + 1} bytes, the limit is {MIB}"):
            inspect(data, disk_format, virtual_size_cap=MIB)


@pytest.mark.parametrize("container", ["ovf", "ova", "docker", "compressed", "ami"])
def test_other_containers_are_not_looked_at(container: str) -> None:
    inspection = Inspection("qcow2", container, Limits())
    inspection.feed(hostile.qcow2(backing=1))
    assert inspection.verdict() is None


def test_a_large_file_is_not_read_to_its_end(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(hostile.qcow2())
    with file.open("r+b") as sparse:
        sparse.truncate(2**42)  # reading it would take an hour
    assert examine(file, Limits()) == Found("qcow2", MIB)
    file.write_bytes(b"")
    with file.open("r+b") as sparse:
        sparse.truncate(2**42)
    assert examine(file, Limits()) == Found("raw", 2**42)


VICTIMS = [data for _, data, *_ in (*UNSAFE_DATA.values(), *SAFE_DATA.values(), *MISMATCHED.values()) if data]


@given(
    st.sampled_from(VICTIMS),
    st.lists(st.tuples(st.integers(0, 2047), st.integers(0, 255)), max_size=8),
    st.sampled_from(["raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi", "iso", "aki"]),
    st.integers(1, 40_000),
)
def test_damaged_data_is_measured_or_refused_and_nothing_else(
    data: bytes, damage: list[tuple[int, int]], disk_format: str, length: int
) -> None:
    damaged = bytearray(data[:length])
    for place, value in damage:
        damaged[place % len(damaged)] = value
    try:
        size = inspect(bytes(damaged), disk_format)
    except ContentRefused:
        return
    assert size is None or 0 < size < 2**63

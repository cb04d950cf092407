"""CSV files are read row by row, and every complaint names the file and the line."""

from decimal import Decimal
from pathlib import Path

import pytest

from billing_portal.csv_rows import BadCsv, Row, plain_number, read_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sizes.csv"


def rows_of(path: Path, content: str | bytes) -> list[tuple[int, dict[str, str]]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [(row.line, dict(row.texts)) for row in read_rows(path, columns=["at", "size"])]


def complaint(path: Path, content: str | bytes) -> str:
    with pytest.raises(BadCsv) as refusal:
        rows_of(path, content)
    return str(refusal.value).replace(str(path), "FILE")


@pytest.mark.parametrize(
    "content",
    [
        "at,size\n1,500\n2,600\n",
        "at,size\r\n1,500\r\n2,600",
        "\ufeffat,size\n1,500\n2,600\n",
        ' at , size\n 1 ,"500"\n2, 600 \n',
    ],
)
def test_rows_come_in_file_order_with_their_lines(path, content):
    assert rows_of(path, content) == [
        (2, {"at": "1", "size": "500"}),
        (3, {"at": "2", "size": "600"}),
    ]


def test_blank_lines_are_skipped_and_counted(path):
    assert rows_of(path, "\n \nat,size\n\n1,500\n   \n2,600\n\n") == [
        (5, {"at": "1", "size": "500"}),
        (7, {"at": "2", "size": "600"}),
    ]


def test_columns_may_come_in_any_order_and_more_than_needed(path):
    assert rows_of(path, "note,size,at\nx,500,1\n") == [
        (2, {"note": "x", "size": "500", "at": "1"})
    ]


def test_a_header_alone_is_a_file_without_rows(path):
    assert rows_of(path, "at,size\n") == []


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "FILE is empty."),
        ("\n  \n", "FILE is empty."),
        ("at\n1\n", "FILE, line 1: no column size; there is at."),
        ("\n1;500\n", "FILE, line 2: no column at, size; there is 1;500."),
        ("at,size,at\n1,2,3\n", "FILE, line 1: more than one column at."),
        ("at,size\n1,500\n2\n", "FILE, line 3: 1 values under 2 headers."),
        ("at,size\n1,500,9\n", "FILE, line 2: 3 values under 2 headers."),
        ('at,size\n1,"5"00\n', "FILE, line 2: ',' expected after '\"'."),
        ('at,size\n1,"500\n', "FILE, line 2: unexpected end of data."),
        (b"at,size\n1,\xff\n", "FILE is not text in UTF-8."),
        ("at,size\n1,500\n".encode("utf-16"), "FILE is not text in UTF-8."),
    ],
)
def test_a_file_that_is_not_as_it_should_be_is_refused(path, content, sentence):
    assert complaint(path, content) == sentence


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(BadCsv) as missing:
        list(read_rows(tmp_path / "none.csv", columns=["at"]))
    with pytest.raises(BadCsv) as folder:
        list(read_rows(tmp_path, columns=["at"]))

    assert str(missing.value) == f"{tmp_path}/none.csv: No such file or directory."
    assert str(folder.value) == f"{tmp_path}: Is a directory."


def test_rows_are_read_as_they_are_needed(path):
    path.write_text("at,size\n1,500\nbroken\n")

    rows = read_rows(path, columns=["at", "size"])

    assert next(rows).texts == {"at": "1", "size": "500"}
    with pytest.raises(BadCsv):
        next(rows)


# --- Values -------------------------------------------------------------------------------


def row(text: str) -> Row:
    return Row(Path("FILE"), 7, {"size": text})


def test_values_are_read_exactly():
    assert row("Berlin").text("size") == "Berlin"
    assert row("007").whole("size") == 7
    assert row("0.0125").number("size") == Decimal("0.0125")
    assert row(".05").number("size") == Decimal("0.05")
    assert row("500").number("size") == 500


def test_a_column_may_be_absent_or_empty():
    assert row("5").has("size")
    assert not row("").has("size")
    assert not row("5").has("fee")


@pytest.mark.parametrize(
    "text", ["-1", "+1", "1.0", "1e3", "x", "NaN", "1_000", "\u0665", "9" * 19]
)
def test_what_is_not_a_whole_number_is_refused(text):
    with pytest.raises(BadCsv) as refusal:
        row(text).whole("size")

    assert str(refusal.value) == (
        f"FILE, line 7: size must be a whole number of at least 0, not {text!r}."
    )


@pytest.mark.parametrize(
    "text", ["-1", "+1", "1e3", "x", "NaN", "Infinity", "0,5", "1.", ".", "1_000", "9" * 19]
)
def test_what_is_not_a_plain_number_is_refused(text):
    with pytest.raises(BadCsv) as refusal:
        row(text).number("size")
    with pytest.raises(ValueError, match=r"^must be a number of at least 0 such as"):
        plain_number(text)

    assert str(refusal.value) == (
        f"FILE, line 7: size must be a number of at least 0 such as 0.0125, not {text!r}."
    )


@pytest.mark.parametrize("read", [Row.text, Row.whole, Row.number])
def test_an_empty_value_is_refused(read):
    with pytest.raises(BadCsv) as refusal:
        read(row(""), "size")

    assert str(refusal.value) == "FILE, line 7: size is empty."

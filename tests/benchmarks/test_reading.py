"""What reading receipts takes is measured on files that are read whole."""

from benchmarks.reading import row_of


def test_a_file_is_written_and_read_in_a_process_of_its_own():
    row = row_of(2_000)
    assert row["rows"] == 2_000 and row["bytes"] > 40 * 2_000
    assert row["processor_seconds"] > 0 and 0.05 < row["peak_gib"] < 4

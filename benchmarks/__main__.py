"""`python -m benchmarks [ROW ...]`: measure, print the table, exit non-zero where a gate fails."""

from benchmarks.machine import set_environment

set_environment()

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from benchmarks.machine import list_versions, name_processor, use_one_thread  # noqa: E402
from benchmarks.report import describe, format_header, format_result  # noqa: E402
from benchmarks.rows import AnyRow, SpeedRow, list_rows  # noqa: E402
from benchmarks.run import Result, measure_row  # noqa: E402


def main() -> int:
    """The command line."""
    arguments = _parse_arguments()
    use_one_thread()
    rows = list_rows()
    if arguments.list:
        print("\n".join(f"{row.name:20}{row.what}" for row in rows))
        return 0
    processor = name_processor()
    print(format_header(processor, list_versions()))
    results: list[Result] = []
    for row in _choose_rows(rows, arguments.rows):
        results.append(measure_row(row, arguments.seconds))
        print(format_result(results[-1], processor), flush=True)
    if arguments.json:
        content = {
            "processor": processor,
            "versions": list_versions(),
            "rows": [describe(result, processor) for result in results],
        }
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return _judge(results, require_all=arguments.require_all)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="names, or how names begin (default: all)")
    parser.add_argument("--list", action="store_true", help="print the names and what they measure")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers to a file as well")
    parser.add_argument("--seconds", type=float, default=4.0, help="processor time to spend on a row (default 4)")
    parser.add_argument("--require-all", action="store_true", help="fail where a row could not be measured")
    return parser.parse_args()


def _choose_rows(rows: list[AnyRow], names: list[str]) -> list[AnyRow]:
    unknown = [name for name in names if not any(row.name.startswith(name) for row in rows)]
    if unknown:
        sys.exit(f"row: expected {', '.join(row.name for row in rows)}; found {unknown[0]!r}; choose one of these")
    return [row for row in rows if not names or row.name.startswith(tuple(names))]


def _judge(results: list[Result], *, require_all: bool) -> int:
    failed = [result.row.name for result in results if result.verdict == "FAILED"]
    absent = [result.row.name for result in results if result.verdict == "not run"]
    if failed:
        print(f"failed: {', '.join(failed)}")
    if absent:
        print(f"not run: {', '.join(absent)}")
    # A peer can be installed, a GPU cannot.
    required = [
        result.row.name for result in results if result.row.name in absent and not isinstance(result.row, SpeedRow)
    ]
    return 1 if failed or (required and require_all) else 0


if __name__ == "__main__":
    sys.exit(main())

"""Run with tempest's own interpreter: reads a subunit stream, prints one JSON object a test."""

import json
import sys
from typing import Any

from subunit import ByteStreamToStreamResult
from testtools import StreamToDict


def told(test: dict[str, Any]) -> None:
    """Print one test."""
    if test["status"] not in ("exists", "inprogress"):
        details = {name: content.as_text() for name, content in test["details"].items()}
        print(json.dumps({"id": test["id"], "status": test["status"], "details": details}))


result = StreamToDict(told)
result.startTestRun()
ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="stdout").run(result)
result.stopTestRun()

"""`calotype task`: imports and other work that outlives its request."""

from datetime import UTC, datetime
from typing import Any

import click

from calotype.cli.desk import Desk, operator
from calotype.cli.output import Rows
from calotype.database import tasks
from calotype.images.errors import Conflict
from calotype.images.model import Task

LIMIT = 1000


@click.group()
def task() -> None:
    """Imports and other work that outlives its request."""


@task.command("list")
@click.option("--status", type=click.Choice(["pending", "processing", "success", "failure"]), help="Only these.")
@operator
async def list_(desk: Desk, status: str | None) -> Rows:
    """List the newest tasks, ended ones too for as long as they are kept."""
    wanted = {"status": status} if status else {}
    rows = await desk.database.all(*tasks.listing(wanted, ("created_at", "desc"), None, LIMIT))
    return [_line(tasks.task(row)) for row in rows]


@task.command()
@click.argument("task_id", metavar="ID")
@operator
async def show(desk: Desk, task_id: str) -> dict[str, Any]:
    """Show a task: how far it is, who runs it, what went wrong."""
    row = await desk.database.one(tasks.GET, {"id": task_id})
    if row is None:
        raise click.ClickException(f"There is no task {task_id}.")
    found = tasks.task(row)
    running = {"worker": found.holder or None, "attempts": found.attempts}
    return {**_line(found), **running, "owner": found.owner, "input": str(found.input)}


@task.command()
@click.argument("task_id", metavar="ID")
@operator
async def cancel(desk: Desk, task_id: str) -> None:
    """Stop a task; its image waits for data again, within seconds if a server runs."""
    try:
        await desk.database.write(tasks.cancel, task_id)
    except Conflict as error:
        raise click.ClickException(error.text) from None


def _line(found: Task) -> dict[str, Any]:
    return {
        "id": found.id,
        "type": found.type,
        "status": found.status,
        "image": found.image_id,
        "created": datetime.fromtimestamp(found.created_at // 1_000_000, UTC).isoformat(),
        "message": found.message or None,
    }

"""Requests to the three APIs by chance: what is nearly right, and what clients get wrong."""

import json
import random
from typing import Any

ODD_BYTES = (
    "%00",
    "%ff",
    "%ed%a0%80",
    "%c3%28",
    "%",
    "%zz",
    "%F0%9F%98%80",
    "%0d%0aX:%20y",
    "%2e%2e%2f",
    "\xff",
    "%252f",
)
NUMBERS = (
    "0",
    "-1",
    "9" * 4000,
    "-" + "9" * 4000,
    "9" * 10_000,
    "1e999",
    "1.5",
    "0x10",
    "½",
    "",
    "NaN",
    "2147483648",
    "9223372036854775807",
    "9223372036854775808",
)

WORDS = (
    "",
    "a",
    "queued",
    "active",
    "public",
    "private",
    "shared",
    "raw",
    "bare",
    "true",
    "null",
    "admin",
    "demo",
    "latest",
    "accepted",
    "in:a,b",
    'in:"',
    "gt:5",
    "é",
    "名",
    "\U0001f600",
    "\u202e",
    "x" * 255,
    "x" * 256,
    "../..",
    "' OR 1=1 --",
    "%s%s%n",
    "${jndi}",
    "{0}",
    "\t",
    "\n",
    "\x7f",
    "application/json",
    "text/html;q=x,*/*;q=2",
)
NAMES = (
    "name",
    "id",
    "owner",
    "visibility",
    "protected",
    "os_hidden",
    "disk_format",
    "container_format",
    "min_disk",
    "min_ram",
    "tags",
    "status",
    "size",
    "checksum",
    "self",
    "file",
    "schema",
    "locations",
    "created_at",
    "limit",
    "marker",
    "sort",
    "sort_key",
    "sort_dir",
    "tag",
    "member_status",
    "auth",
    "identity",
    "methods",
    "password",
    "token",
    "user",
    "domain",
    "scope",
    "project",
    "system",
    "all",
    "metadata",
    "meta",
    "member",
    "op",
    "path",
    "value",
    "add",
    "replace",
    "remove",
    "os_glance_x",
    "property-x",
    "changes-since",
    "server",
    "type",
    "method",
    "input",
    "url",
)
OPERATIONS = ("add", "replace", "remove", "move", "test", 5, None)


class Chance(random.Random):
    """Makes requests."""

    def value(self, depth: int = 0) -> Any:
        """Any JSON value."""
        kind = self.randrange(10 if depth < 4 else 7)
        if kind < 3:
            return self.choice(WORDS)
        if kind < 7:
            return self.choice((None, True, False, 0, -1, 1.5, 2**31, 2**63, 2**64, 10**30, 1e308, "", [], {}))
        if kind == 7:
            return [self.value(depth + 1) for _ in range(self.randrange(4))]
        return {self.name(): self.value(depth + 1) for _ in range(self.randrange(5))}

    def name(self) -> str:
        """A member's name."""
        return self.choice(NAMES) if self.random() < 0.85 else self.choice(WORDS)

    def query(self) -> str:
        """A query string."""
        pairs = (f"{self.escaped(self.name())}={self.escaped(self.choice((*WORDS, *NUMBERS[:6])))}" for _ in range(3))
        return "?" + "&".join(pairs)

    def escaped(self, text: str) -> str:
        """Percent-encoded, now and then wrongly."""
        if self.random() < 0.1:
            return self.choice(ODD_BYTES)
        return "".join(f"%{byte:02x}" for byte in text.encode()[:300])

    def body(self) -> bytes:
        """A body: JSON, or what is left of it after an accident."""
        text = json.dumps(self.value(), ensure_ascii=self.random() < 0.5).encode()
        if self.random() < 0.15 and text:
            at = self.randrange(len(text))
            text = text[:at] + self.randbytes(2) + text[at + 1 :]
        return text

    def headers(self, *kinds: str) -> dict[str, str]:
        """A content type, and now and then something else."""
        found = {"Content-Type": self.choice(kinds)} if self.random() < 0.9 else {}
        if self.random() < 0.3:
            name = self.choice(("Accept", "OpenStack-API-Version", "Range", "X-OpenStack-Request-ID", "Expect", "Host"))
            found[name] = (
                self.choice(WORDS).encode("latin-1", "ignore").decode("latin-1").translate({10: None, 0: None})
            )
        return found


def image_request(chance: Chance, image: str, project: str) -> tuple[str, str, dict[str, str], bytes]:
    """A request to the Image API; the target image itself is not deleted."""
    patch = f"application/openstack-images-v2.{chance.randrange(3)}-json-patch"
    match chance.randrange(6):
        case 0:
            return "GET", "/v2/images" + chance.query(), chance.headers("application/json"), b""
        case 1:
            attributes = {chance.name(): chance.value(2) for _ in range(chance.randrange(4))}
            return "POST", "/v2/images", chance.headers("application/json"), json.dumps(attributes).encode()
        case 2:
            changes = [
                {"op": chance.choice(OPERATIONS), "path": f"/{chance.name()}", "value": chance.value(2)}
                for _ in range(chance.randrange(4))
            ]
            return "PATCH", f"/v2/images/{image}", chance.headers(patch), json.dumps(changes).encode()
        case 3:
            return "PATCH", f"/v2/images/{image}", chance.headers(patch), chance.body()
        case 4:
            path = chance.choice((f"/v2/images/{image}/members", "/v2/tasks", "/v2/metadefs/namespaces", "/v2/images"))
            return "POST", path, chance.headers("application/json", "text/plain"), chance.body()
        case _:
            method = chance.choice(("PUT", "GET", "DELETE", "POST", "PATCH", "HEAD"))
            tail = chance.choice(("members", "tags", "file", "actions", "locations", "stage", "import"))
            return (
                method,
                f"/v2/images/{image}/{tail}/{chance.escaped(chance.name())}",
                chance.headers("a/b"),
                chance.body(),
            )


def compute_request(chance: Chance, image: str, project: str) -> tuple[str, str, dict[str, str], bytes]:
    """A request to the Compute API; the target image is not deleted."""
    base = chance.choice(("/v2.1", f"/v2.1/{project}", f"/v2/{project}", "/compute/v2.1", "/v2.1/" + "0" * 32))
    kind = chance.headers("application/json", "application/vnd.openstack.compute+json", "text/xml")
    if chance.random() < 0.5:
        return "GET", f"{base}/images{chance.choice(('', '/detail'))}{chance.query()}", kind, b""
    method = chance.choice(("GET", "POST", "PUT", "DELETE", "PATCH"))
    tail = chance.choice(("/metadata", f"/metadata/{chance.escaped(chance.name())}"))
    given = {chance.choice(("metadata", "meta", chance.name())): chance.value(2)}
    body = json.dumps(given).encode() if chance.random() < 0.7 else chance.body()
    return method, f"{base}/images/{image}{tail}", kind, body


def identity_request(chance: Chance, image: str, project: str) -> tuple[str, str, dict[str, str], bytes]:
    """A request to Identity."""
    if chance.random() < 0.4:
        path = chance.choice(
            (
                "projects",
                "users",
                "domains",
                "roles",
                "services",
                "endpoints",
                "auth/projects",
                "regions",
                "role_inferences",
                "users/x/application_credentials",
                "users/x/access_rules",
                "roles/x/implies",
            )
        )
        return "GET", f"/v3/{path}{chance.choice(('', '/' + chance.escaped(chance.name())))}{chance.query()}", {}, b""
    who = {"name": chance.value(3), "domain": chance.value(3), "password": chance.value(4)}
    identity = {
        "methods": chance.choice(
            (["password"], ["token"], ["password", "token"], ["application_credential"], chance.value(2))
        ),
        "password": {"user": chance.choice((who, chance.value(2)))},
        "token": {"id": chance.value(3)},
        "application_credential": chance.choice(
            ({"id": chance.value(3), "secret": chance.value(3)}, {**who, "user": chance.choice((who, chance.value(2)))})
        ),
    }
    auth: dict[str, Any] = {"identity": identity if chance.random() < 0.8 else chance.value()}
    if chance.random() < 0.6:
        scope = {chance.choice(("project", "domain", "system", "OS-TRUST:trust", "unscoped")): chance.value(2)}
        auth["scope"] = scope if chance.random() < 0.7 else chance.value(2)
    body = json.dumps({"auth": auth}).encode() if chance.random() < 0.85 else chance.body()
    return "POST", "/v3/auth/tokens", chance.headers("application/json"), body

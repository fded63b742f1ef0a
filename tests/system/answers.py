"""answers.py SOCKET METHOD PATH [BODY]…: each answer against the schema that the served OpenAPI document names for it. Every field must be
described (also where more are allowed, but for what has no properties at all), of its type, and every required one there. Prints what is wrong, one line each."""
import http.client
import json
import re
import socket
import sys


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])


def ask(method, path, body=None):
    c = Unix("x")
    c.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    r = c.getresponse()
    return r.status, r.read().decode()


document = json.loads(ask("GET", "/v1/openapi.json")[1])
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "null": lambda v: v is None,
}


def wrong(value, schema, at):
    """What is wrong with value, as a list of texts."""
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            found = [wrong(value, s, at) for s in schema[several]]
            return min(found, key=len)
    types = schema.get("type", [])
    types = [types] if isinstance(types, str) else types
    if types and not any(TYPES[t](value) for t in types):
        return ["%s: %s, not %s" % (at, json.dumps(value)[:40], " or ".join(types))]
    if "enum" in schema and value not in schema["enum"]:
        return ["%s: %s is none of %s" % (at, json.dumps(value), schema["enum"])]
    out = []
    if isinstance(value, list):
        for i, v in enumerate(value):
            out += wrong(v, schema.get("items", {}), "%s[%d]" % (at, i))
    if isinstance(value, dict):
        known, rest = schema.get("properties"), schema.get("additionalProperties")
        out += ["%s.%s: required, not there" % (at, k) for k in schema.get("required", []) if k not in value]
        for k, v in value.items():
            if known and k in known:
                out += wrong(v, known[k], "%s.%s" % (at, k))
            elif isinstance(rest, dict):
                out += wrong(v, rest, "%s.%s" % (at, k))
            elif known is not None or not rest:  # {"type": "object", "additionalProperties": true}: a spec, which zone.yaml(5) tells
                out.append("%s.%s: not described" % (at, k))
    return out


def schema_of(method, path, status):
    for pattern, item in document["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", pattern), path.split("?")[0]) and method.lower() in item:
            answer = item[method.lower()]["responses"].get(str(status))
            return answer and answer["content"]["application/json"]["schema"]
    raise SystemExit("%s %s is not in the document" % (method, path))


for line in sys.stdin:
    method, path, body = (line.strip().split(" ", 2) + [None])[:3]
    status, text = ask(method, path, body)
    schema = schema_of(method, path, status)
    if not schema:
        print("%s %s: %d %s" % (method, path, status, text.strip()))
        continue
    for w in wrong(json.loads(text), schema, ""):
        print("%s %s %s" % (method, path, w))

"""Holds the examples of docs/protocol.md, which come from a running server, against the schemas of docs/asyncapi.json."""

import json
import pathlib
import re
import sys

import jsonschema

docs = pathlib.Path(__file__).parent.parent / "docs"
schemas = json.loads((docs / "asyncapi.json").read_text())
examples = re.findall(r"<!-- example: (.+?) -->\n```json\n(.*?)\n```", (docs / "protocol.md").read_text(), re.S)
wrong = checked = 0
for name, text in examples:
    frame = json.loads(text)
    if name.startswith("http "):
        continue
    # What a client says is called like its type.
    side = "client" if name == "send reply" or f"client.{name}" in schemas["components"]["messages"] else "server"
    # The references are into the document, so it goes along.
    schema = {**schemas, **schemas["components"]["messages"][f"{side}.{frame['type']}"]["payload"]}
    checked += 1
    for error in jsonschema.Draft202012Validator(schema).iter_errors(frame):
        wrong += 1
        print(f"{name}: {error.message}")
print(f"{checked} frames, {wrong} that do not fit their schema")
sys.exit(1 if wrong or checked < 40 else 0)

"""Ask a running server about a photo: prediction from one endpoint, prediction and heatmap from the other.

usage: python examples/ask.py PHOTO [--model NAME] [--url URL] [-o overlay.png] [--target CLASS]

Needs Python's standard library only.
"""

from __future__ import annotations

import argparse
import json
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any


def post(url: str, fields: dict[str, bytes], accept: str = "application/json") -> tuple[int, bytes]:
    """POST form fields as multipart/form-data; returns status and body."""
    boundary = "smoothserve-example-boundary"
    parts = [
        b'--%b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
        % (boundary.encode(), name.encode(), value)
        for name, value in fields.items()
    ]
    body = b"".join(parts) + b"--%b--\r\n" % boundary.encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Accept": accept}
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        elsewhere = error.headers.get("Location")
        if error.code == 307 and elsewhere:  # explanations have a queue of their own
            return post(urllib.parse.urljoin(url, elsewhere), fields, accept)
        return error.code, error.read()
    except OSError as error:
        sys.exit(f"no answer from {url}: {error}. Does the server run (scripts/serve.sh NAME)?")


def checked(answer: tuple[int, bytes]) -> bytes:
    """The body of a 200 answer; anything else ends the program with the server's message."""
    status, body = answer
    if status != 200:
        sys.exit(f"the server answered {status}: {body.decode(errors='replace')}")
    return body


def show(predictions: list[dict[str, Any]]) -> None:
    for entry in predictions:
        print(f"  {entry.get('probability', entry.get('value')):7.4f}  {entry['class']:5d}  {entry['label']}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photo", type=Path)
    parser.add_argument("--model", default="efficientnet-lite0")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--target", help="class number or label to explain (default: the predicted class)")
    parser.add_argument("-o", "--output", type=Path, help="where to write the overlay picture")
    arguments = parser.parse_args()

    if not arguments.photo.is_file():
        sys.exit(f"the photo {arguments.photo} does not exist")
    photo = {"data": arguments.photo.read_bytes()}
    aimed = photo if arguments.target is None else {**photo, "target": arguments.target.encode()}
    explanations = f"{arguments.url}/explanations/{arguments.model}"

    body = checked(post(f"{arguments.url}/predictions/{arguments.model}", photo))
    print("/predictions answers:")
    show(json.loads(body)["predictions"])

    answer = json.loads(checked(post(explanations, aimed)))
    print(f"/explanations explains class {answer['class']}, {answer['label']}")

    if arguments.output:
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        arguments.output.write_bytes(checked(post(explanations, aimed, accept="image/png")))
        print(f"overlay: {arguments.output}")


if __name__ == "__main__":
    main()

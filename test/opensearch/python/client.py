"""One run of an official Python client: a bulk of a file of documents, then a scan of what is there.

client.py NAME URL INDEX FILE BULK_BYTES GZIP: FILE holds one document a line, BULK_BYTES is the size at which the
client cuts a bulk, GZIP is 0 or 1. Prints one JSON object: indexed, count, sha256 (as documents.ts computes it).
"""

import hashlib
import importlib
import json
import sys


def digest(hits):
    sha256 = hashlib.sha256()
    for hit in sorted(hits, key=lambda hit: hit["_id"]):
        source = json.dumps(hit["_source"], ensure_ascii=False, separators=(",", ":"))
        sha256.update(f"{hit['_id']}\n{source}\n".encode())
    return sha256.hexdigest()


def main(name, url, index, file, bulk_bytes, gzip):
    package = "opensearchpy" if name.startswith("opensearch") else "elasticsearch"
    library = importlib.import_module(package)
    helpers = importlib.import_module(package + ".helpers")
    cls = library.OpenSearch if package == "opensearchpy" else library.Elasticsearch
    modern = name in ("elasticsearch-8", "elasticsearch-9")
    timeout = {"request_timeout": 120} if modern else {"timeout": 120}
    # A retry would hide what went wrong the first time.
    client = cls([url], http_compress=gzip == "1", max_retries=0, **timeout)

    with open(file, encoding="utf-8") as lines:
        actions = ({"_id": one["id"], "_source": one} for one in map(json.loads, lines))
        sizes = {"chunk_size": 1_000_000, "max_chunk_bytes": int(bulk_bytes)}
        indexed, _ = helpers.bulk(client, actions, index=index, **sizes)
    client.indices.refresh(index=index)
    hits = list(helpers.scan(client, index=index, size=5000))
    print(json.dumps({"indexed": indexed, "count": len(hits), "sha256": digest(hits)}))


main(*sys.argv[1:])

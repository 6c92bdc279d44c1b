"""What huggingface_hub makes of a repository in its cache, and what it makes of a cache of ours: called by hub.ts.

    python hub.py NAME COMMIT FILES       HF_HOME and HF_ENDPOINT say where; prints JSON
"""

import json
import os
import sys
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants, scan_cache_dir, snapshot_download

name, commit, files = sys.argv[1], sys.argv[2], sys.argv[3].split(",")


def described(path: Path):
    if path.is_symlink():
        return {"link": os.readlink(path)}
    return {"text": path.read_bytes().decode("latin-1")}


snapshot = snapshot_download(name, allow_patterns=files)
hub = Path(constants.HF_HUB_CACHE)
found = {
    str(path.relative_to(hub)): described(path)
    for path in sorted(hub.rglob("*"))
    if (path.is_symlink() or path.is_file()) and not path.name.endswith(".lock")
}
cached = scan_cache_dir()
print(
    json.dumps(
        {
            "version": huggingface_hub.__version__,
            "snapshot": str(Path(snapshot).relative_to(hub)),
            "cache": found,
            "repos": [repo.repo_id for repo in cached.repos],
            "refs": [sorted(revision.refs) for repo in cached.repos for revision in repo.revisions],
            "warnings": [str(warning) for warning in cached.warnings],
        }
    )
)

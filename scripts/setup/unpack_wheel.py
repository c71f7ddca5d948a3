"""Unpacks those files of a wheel that match one of the patterns: unpack_wheel.py WHEEL FOLDER PATTERN..."""

import fnmatch
import os
import shutil
import sys
import zipfile

wheel, folder, *patterns = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    for entry in archive.infolist():
        if entry.is_dir() or not any(fnmatch.fnmatchcase(entry.filename, pattern) for pattern in patterns):
            continue
        # Names are joined to our folder: one that leads out of it is not of an honest wheel.
        path = os.path.normpath(os.path.join(folder, entry.filename))
        if not path.startswith(os.path.join(os.path.normpath(folder), "")):
            sys.exit(f"{wheel} holds a file outside itself: {entry.filename}")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(entry) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        # Programs (ptxas) stay programs.
        if entry.external_attr >> 16 & 0o111:
            os.chmod(path, 0o755)

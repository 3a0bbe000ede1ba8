"""Writes the manifests that are made from code: `python -m infra.kubernetes`."""

from infra.kubernetes.files import FOLDER, made_files

for name, text in made_files().items():
    (FOLDER / name).write_text(text)
    print(FOLDER / name)

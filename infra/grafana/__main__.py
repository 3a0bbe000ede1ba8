"""`python -m infra.grafana` writes Grafana's dashboards, and where it finds the data, into this folder."""

from infra.grafana.files import FOLDER, all_files

if __name__ == "__main__":
    for path, text in all_files().items():
        (FOLDER / path).write_text(text)
        print(path)

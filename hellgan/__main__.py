"""``python -m hellgan``: the command line."""

from hellgan.cli import main

if __name__ == "__main__":
    raise SystemExit(main())

#!/bin/sh
# Pins anew, with hashes: the host's packages of pyproject.toml for any Python from 3.11, and what each
# docker/*/requirements*.in asks for, for its framework's Python; the browser of the tests too. What a
# requirements-build.in names builds the others.
set -eu
cd "$(dirname "$0")/.."
pin() { # IN OUT PYTHON [OPTION ...]
  in=$1 out=$2 python=$3
  shift 3
  .venv/bin/uv pip compile --quiet --generate-hashes --no-header --python-version "$python" "$@" "$in" -o "$out"
}
pin pyproject.toml requirements.txt 3.11 --universal --extra dev
for dockerfile in docker/*/Dockerfile docker/*/*/Dockerfile tests/browser/Dockerfile; do
  folder=${dockerfile%Dockerfile}
  python=$(sed -n 's/^FROM python:\([0-9.]*\)-.*/\1/p' "$dockerfile")
  if [ -z "$python" ]; then # Debian's own: bullseye's where the image says so, else bookworm's under a base of the user's
    python=3.11
    grep -q '^FROM debian:bullseye' "$dockerfile" && python=3.9
  fi
  set --
  build=${folder}requirements-build.in
  [ ! -e "$build" ] || set -- --build-constraints "$build"
  [ "$python" = 3.6 ] && python=3.6.15 # by itself it means 3.6.0, which pydantic does not take
  for in in "$folder"requirements*.in; do
    pin "$in" "${in%.in}.txt" "$python" --python-platform x86_64-manylinux_2_28 "$@"
  done
done

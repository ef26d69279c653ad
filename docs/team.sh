#!/usr/bin/env bash
# Two workers of a team, on this machine: `python docs/team.py bash docs/team.sh`, in the repository's root.
# It tries what is committed, takes some minutes, and leaves nothing behind.
set -euo pipefail
vision() { python -m vision_pipeline.cli.main "$@"; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export DATA_MIRROR=

worker() {  # NAME FROM: a clone that knows the bucket; keys come from the environment, and stand in no file
    git clone -q "$2" "$folder/$1"
    cd "$folder/$1"
    export PYTHONPATH=$PWD
    git config user.name "$1" && git config user.email "$1@example.com"
    dvc remote add -q --local -d bucket "$REMOTE_URL"
    dvc remote modify -q --local bucket endpointurl "$AWS_ENDPOINT_URL"
}

echo "== the first worker trains mnist-mlp on 1,000 stand-in images, and shares it"
worker first "$PWD"
dvc exp run -q -S data.limit=1000 -S datasets.mnist.source=stand-in evaluate@mnist-mlp
git add -A && git commit -qm "mnist-mlp on 1,000 images"
dvc push -q evaluate@mnist-mlp train@mnist-mlp prepare@mnist

echo "== the second worker gets data, model and reports, and trains another model on the same data"
worker second "$folder/first"
dvc pull -q evaluate@mnist-mlp train@mnist-mlp prepare@mnist
dvc repro -q --pull --allow-missing evaluate@mnist-logistic
vision sync
vision inspect mnist-mlp

echo "== MLflow's server has the runs of both"
python - <<'END'
from vision_pipeline.tracking.search import runs
from vision_pipeline.tracking.store import open_store

for run in runs(open_store(), ""):
    tags, metrics = run.data.tags, run.data.metrics
    print(run.info.status, run.info.run_name, f"test accuracy {metrics['test.accuracy']:.2%}", tags["git.commit"][:7])
END

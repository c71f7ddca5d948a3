"""Drives a cluster through a client that is generated from the protos of Millrace: client.py FOLDER, with MILLRACE_ADDRESS and MILLRACE_TOKEN."""

import json
import os
import pathlib
import sys
import uuid

import grpc
import grpc_tools
from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = ROOT / "proto"
FOLDER = pathlib.Path(sys.argv[1])
DEADLINE_S = 60
CONFIG = {
    "name": "from-python",
    "flow": str(ROOT / "docs" / "first-flow" / "flow.ts"),
    "rounds": 10_000,
    "policy": {"hidden": 16, "embed": 8},
    "rollout": {"groupSize": 4, "groupsPerRound": 2},
    "evaluation": {"every": 0, "baselines": False},
}


def generate() -> None:
    """Writes the messages and stubs into FOLDER, from where they are imported."""
    files = [str(path.relative_to(PROTO)) for path in sorted(PROTO.glob("millrace/v1/*.proto"))]
    well_known = str(pathlib.Path(grpc_tools.__file__).parent / "_proto")
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={FOLDER}", f"--grpc_python_out={FOLDER}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc failed")
    sys.path.insert(0, str(FOLDER))


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise SystemExit(f"client.py: {what}")


def main() -> None:
    generate()
    from millrace.v1 import admin_pb2 as pb
    from millrace.v1 import admin_pb2_grpc

    metadata = [("authorization", f"Bearer {os.environ['MILLRACE_TOKEN']}")]
    call = {"metadata": metadata, "timeout": DEADLINE_S}
    with grpc.insecure_channel(os.environ["MILLRACE_ADDRESS"]) as channel:
        admin = admin_pb2_grpc.AdminServiceStub(channel)

        request = pb.CreateJobRequest(config_json=json.dumps(CONFIG), request_id=str(uuid.uuid4()), owner="python")
        job = admin.CreateJob(request, **call).job
        expect(job.state == pb.JOB_STATE_QUEUED and job.owner == "python", f"created as {job.state} of {job.owner}")
        expect(admin.CreateJob(request, **call).job.id == job.id, "the same request id gave another job")

        round_seen = 0
        watch = admin.WatchJob(pb.WatchJobRequest(job_id=job.id), **call)
        for answer in watch:
            expect(answer.job.state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING), f"it is {answer.job.error or answer.job.state}")
            round_seen = answer.job.progress.round
            if round_seen >= 2:
                break
        watch.cancel()
        expect(round_seen >= 2, "the watch ended before two rounds")

        paused = admin.PauseJob(pb.PauseJobRequest(job_id=job.id), **call).job
        expect(paused.state == pb.JOB_STATE_PAUSED, "it is not paused")
        resumed = admin.ResumeJob(pb.ResumeJobRequest(job_id=job.id), **call).job
        expect(resumed.state in (pb.JOB_STATE_QUEUED, pb.JOB_STATE_RUNNING), "it is not resumed")
        for answer in admin.WatchJob(pb.WatchJobRequest(job_id=job.id, resume_token=""), **call):
            if answer.job.state == pb.JOB_STATE_RUNNING and answer.job.progress.round > round_seen:
                break

        read = pb.GetJobRequest(job_id=job.id)
        read.read_mask.paths.extend(["id", "state", "progress"])
        status = admin.GetJob(read, **call).job
        expect(status.progress.round > round_seen and status.config_json == "", "the status is not what was asked for")
        listed = admin.ListJobs(pb.ListJobsRequest(filter='owner="python" AND state=RUNNING'), **call).jobs
        expect([one.id for one in listed] == [job.id], "the list is not of this job alone")

        try:
            admin.CreateJob(pb.CreateJobRequest(config_json=json.dumps({**CONFIG, "rollout": {"groupSize": 1}})), **call)
            raise SystemExit("client.py: a wrong configuration was taken")
        except grpc.RpcError as error:
            expect(error.code() == grpc.StatusCode.INVALID_ARGUMENT, f"the wrong configuration was refused with {error.code()}")
            expect("rollout.groupSize" in error.details(), error.details())

        cancelled = admin.CancelJob(pb.CancelJobRequest(job_id=job.id), **call).job
        expect(cancelled.state == pb.JOB_STATE_CANCELLED, "it is not cancelled")
    print(f"created, watched, paused, resumed, read and cancelled {job.id}")


main()

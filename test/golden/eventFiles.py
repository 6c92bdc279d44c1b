"""Event files as TensorBoard reads and writes them: eventFiles/read.json of ours.tfevents, and eventFiles/theirs.tfevents.

After `node test/golden/eventFiles.ts`, with the package `tensorboard` alone.
"""

import json
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

HERE = Path(__file__).parent / "eventFiles"

accumulated = EventAccumulator(str(HERE / "ours.tfevents"))
accumulated.Reload()
scalars = {
    tag: [[own.wall_time, own.step, own.value] for own in accumulated.Scalars(tag)]
    for tag in accumulated.Tags()["scalars"]
}
(HERE / "read.json").write_text(json.dumps(scalars) + "\n")

with open(HERE / "theirs.tfevents", "wb") as file:
    writer = RecordWriter(file)
    for event in (
        Event(wall_time=1.5, file_version="brain.Event:2"),
        Event(wall_time=2.25, step=7, session_log=SessionLog(status=SessionLog.START)),
        Event(wall_time=3.0, step=300, summary=Summary(value=[
            Summary.Value(tag="a/b", simple_value=0.1), Summary.Value(tag="ü", simple_value=-2e10),
        ])),
    ):
        writer.write(event.SerializeToString())
    writer.flush()

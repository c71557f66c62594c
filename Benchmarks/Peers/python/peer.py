"""Both sides of every workload for `multiprocessing`: `peer.py <workload> <count> <size>`.

Prints what was measured as one line of JSON. The size is what one message has of records or of bytes, or how many children
there are.
"""

import json
import multiprocessing
import os
import statistics
import sys
import time
from multiprocessing import connection, reduction

WARM_UP_SHARE = 10
now = time.monotonic_ns


def id_of(index):
    return 100_000 + index % 900_000


def sum_of_ids(count):
    return sum(map(id_of, range(1, count + 1)))


def check(is_right, reason):
    if not is_right:
        sys.exit(f"peer.py: {reason}")


def rate(count, start):
    return {"rate": count / (now() - start) * 1e9}


def percentiles(times):
    times = sorted(times)
    return {f"p{percent}": times[len(times) * percent // 100] / 1000 for percent in (50, 99)}


def counts_of(count):
    return [max(count // WARM_UP_SHARE, 1), count]


# The child


def answer_pings(channel):
    for message in messages(channel):
        check(message == "ping", f"got {message}")
        channel.send("pong")


def send_items(channel):
    for count in messages(channel):
        for index in range(1, count + 1):
            channel.send({"id": id_of(index), "name": "item", "ok": index < count})


def add_up_items(channel):
    total = 0
    for item in messages(channel):
        total += item["id"]
        if not item["ok"]:
            channel.send(total)
            total = 0


def close_handles(channel):
    total = 0
    for item in messages(channel):
        os.close(reduction.recv_handle(channel))
        total += item["id"]
        if not item["ok"]:
            channel.send(total)
            total = 0


def add_up_payloads(channel, kind, size):
    is_first = True
    for count in messages(channel):
        total = 0
        for _ in range(count):
            value = channel.recv_bytes() if kind == "bytes" else channel.recv()
            check(not is_first or kind == "records" or value == make(kind, size), "a message has changed")
            is_first = False
            total += checksum(kind, value)
        channel.send(total)


def messages(channel):
    while True:
        try:
            yield channel.recv()
        except EOFError:
            return


# The parent


def start(target, *arguments):
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments))
    process.start()
    theirs.close()
    return process, ours


def end(process, channel):
    channel.close()
    process.join()
    check(process.exitcode == 0, f"the child has ended with {process.exitcode}")


def answer(channel):
    channel.send("ping")
    text = channel.recv()
    check(text == "pong", f"got {text}")


def round_trips(count, size):
    process, channel = start(answer_pings)
    times = []
    for _ in range(count // WARM_UP_SHARE + count + 1):
        answer(channel)
        times.append(now())
    end(process, channel)
    times = times[count // WARM_UP_SHARE:]
    trips = [later - earlier for earlier, later in zip(times, times[1:])]
    return {"rate": len(trips) / (times[-1] - times[0]) * 1e9, **percentiles(trips)}


def items_to_parent(count, size):
    process, channel = start(send_items)
    for count in counts_of(count):
        begin = now()
        channel.send(count)
        total = sum(channel.recv()["id"] for _ in range(count))
        result = rate(count, begin)
        check(total == sum_of_ids(count), "an item is missing")
    end(process, channel)
    return result


def items_to_child(count, size):
    process, channel = start(add_up_items)
    for count in counts_of(count):
        begin = now()
        for index in range(1, count + 1):
            channel.send({"id": id_of(index), "name": "item", "ok": index < count})
        total = channel.recv()
        result = rate(count, begin)
        check(total == sum_of_ids(count), "an item is missing")
    end(process, channel)
    return result


def handles_to_child(count, size):
    process, channel = start(close_handles)
    for count in counts_of(count):
        begin = now()
        for index in range(1, count + 1):
            channel.send({"id": id_of(index), "name": "item", "ok": index < count})
            reduction.send_handle(channel, 2, process.pid)
        total = channel.recv()
        result = rate(count, begin)
        check(total == sum_of_ids(count), "an item is missing")
    end(process, channel)
    return result


def payloads_to_child(kind):
    def run(count, size):
        process, channel = start(add_up_payloads, kind, size)
        value = make(kind, size)
        whole = checksum(kind, value)
        for count in counts_of(count):
            begin = now()
            channel.send(count)
            for index in range(1, count + 1):
                if kind == "bytes":
                    channel.send_bytes(value)
                    continue
                if kind == "records":
                    value[0]["id"] = id_of(index)
                channel.send(value)
            total = channel.recv()
            result = rate(count, begin)
            expected = count * (whole - id_of(1)) + sum_of_ids(count) if kind == "records" else count * whole
            check(total == expected, "a message is missing, or has changed")
        end(process, channel)
        return result

    return run


def starts(count, size):
    times = []
    for _ in range(2 + count):
        begin = now()
        process, channel = start(answer_pings)
        answer(channel)
        times.append(now() - begin)
        end(process, channel)
    return percentiles(times[2:])


def idle(count, size):
    """Tells the process numbers of two children, then of more, and awaits a line of the standard input each time."""
    children = []
    for wanted in (2, 2 + size):
        while len(children) < wanted:
            children.append(start(answer_pings))
            answer(children[-1][1])
        print(json.dumps([process.pid for process, _ in children]), flush=True)
        sys.stdin.readline()
    for child in children:
        end(*child)
    return {}


def sweeps(count, size):
    children = [start(answer_pings) for _ in range(size)]
    times = []
    for _ in range(count + 1):
        begin = now()
        for _, channel in children:
            channel.send("ping")
        for _, channel in children:
            check(channel.recv() == "pong", "an unexpected answer")
        times.append(now() - begin)
    for _, channel in children:
        channel.close()
    for child in children:
        end(*child)
    # The first one has waited for the children to start.
    return percentiles(times[1:])


def many_to_parent(count, size):
    children = [start(send_items) for _ in range(size)]
    for count in counts_of(count):
        arrived = {channel: 0 for _, channel in children}
        shares = None
        total = 0
        begin = now()
        for channel in arrived:
            channel.send(count)
        waiting = set(arrived)
        while waiting:
            for channel in connection.wait(waiting):
                item = channel.recv()
                total += item["id"]
                arrived[channel] += 1
                if not item["ok"]:
                    shares = shares or list(arrived.values())
                    waiting.remove(channel)
        result = rate(size * count, begin)
        check(total == size * sum_of_ids(count), "an item is missing")
    for child in children:
        end(*child)
    return {**result, "share": min(shares) / statistics.mean(shares) * 100}


# What is sent


def make(kind, size):
    if kind == "records":
        return [
            {
                "id": id_of(index), "name": "sensor 17", "active": True, "score": 98.25, "tags": ["north", "roof"],
                "place": {"x": 12, "y": -7}, "note": "last seen today",
            }
            for index in range(1, size + 1)
        ]
    if kind == "string":
        return "".join("\n" if index % 64 == 63 else chr(97 + index % 23) for index in range(size))
    return bytes(index % 251 for index in range(size))


def checksum(kind, value):
    if kind == "records":
        return sum(record["id"] + record["place"]["x"] + len(record["tags"]) for record in value)
    return len(value)


WORKLOADS = {
    "round-trip": round_trips,
    "to-parent": items_to_parent,
    "to-child": items_to_child,
    "handles": handles_to_child,
    "records": payloads_to_child("records"),
    "string": payloads_to_child("string"),
    "bytes": payloads_to_child("bytes"),
    "start": starts,
    "idle": idle,
    "alive": sweeps,
    "many-to-parent": many_to_parent,
}
context = multiprocessing.get_context("spawn")

if __name__ == "__main__":
    workload, count, size = sys.argv[1:]
    print(json.dumps(WORKLOADS[workload](int(count), int(size))))

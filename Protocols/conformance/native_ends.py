"""Clauses of the native dialect: aborts, and the ends of the channel."""

import struct

from native_program import (
    ABORT, BYTES, CREDIT, END, MESSAGE, META, MORE, MOST, OPEN, PING, clause, decode, frame, with_description)
from running import NotApplicable, require


@clause("9", "an abort ends the channel, and is not answered")
def abort(context):
    for body in (b'{"code":"protocolViolation","message":"a test"}', b'{"code":"other","message":""}', b"", b"[1,"):
        with context.start() as program:
            program.expect_works()
            program.send(frame(ABORT, body))
            program.wait_for_end()
            require(not program.frames, "something came after the abort")
            program.exit_code()


@clause("9", "a program that finds a mistake says why, closes, and does not wait for more")
def own_abort(context):
    with context.start() as program:
        program.expect_works()
        program.send(frame(0x77, b"unknown"))
        return program.expect_protocol_error()


@clause("9", "a mistake is no reason to hang where this side reads nothing")
def abort_unread(context):
    with context.start() as program:
        program.expect_works()
        program.is_deaf = True
        for _ in range(20):
            program.put(frame(BYTES, bytes(10_000)))
        program.stay_quiet(0.2)
        program.all[0].waiting.clear()
        program.send(frame(0x77))
        program.exit_code()


@clause("10", "10,000 messages come back in their order")
def order(context):
    with context.start() as program:
        for number in range(10_000):
            program.put_value({"number": number})
        for number in range(10_000):
            program.expect_value({"number": number})
        program.expect_graceful_end()


@clause("10", "what was sent before this side's end is answered before the program's")
def ends_after_messages(context):
    with context.start() as program:
        for number in range(1000):
            program.put_value([number, "x" * 1000])
        program.end()
        for number in range(1000):
            program.expect_value([number, "x" * 1000])
        program.wait_for_peers_end()
        program.wait_for_end()
        require(not program.frames, "frames came that nobody asked for")
        program.require_exit()


@clause("10", "an end is no end of credit: what was echoed before it comes as this side grants")
def credit_after_end(context):
    with context.start(window=MOST) as program:
        program.grants = False
        program.wait_for_hello()
        count = 10 + MOST // 10_064
        for _ in range(count):
            program.put(frame(BYTES, bytes(10_000)))
        program.end()
        program.wait_for_frames(1 + MOST // 10_064)
        program.stay_quiet()
        require(not program.peer_has_ended, "its end came before its data")
        program.grants = True
        program.grant(0, program.all[0].read + MOST)
        for _ in range(count):
            program.expect_bytes(bytes(10_000))
        program.wait_for_peers_end()
        program.wait_for_end()
        program.require_exit()


@clause("10", "a program that has said its end reads on, grants credit and answers pings")
def program_ends(context):
    with context.start() as program:
        program.put_value("before")
        program.ask("disconnect")
        program.wait_for_peers_end()
        program.expect_value("before")
        program.expect_ping()
        for _ in range(5000):
            program.put(frame(MESSAGE, b'"%s"' % (b"x" * 1000)))
        program.end()
        program.wait_for_end()
        require(not program.frames, "something came after its end")
        program.require_exit()


@clause("10", "both ends may cross")
def ends_cross(context):
    with context.start() as program:
        program.expect_works()
        program.ask("disconnect")
        program.send(frame(END))
        program.wait_for_peers_end()
        program.wait_for_end()
        program.require_exit()


@clause("10", "an end right after the hello")
def early_end(context):
    with context.start() as program:
        program.send(frame(END))
        program.wait_for_peers_end()
        program.wait_for_end()
        require(not program.frames, "frames came that nobody asked for")
        program.require_exit()


@clause("10", "control frames may follow an end")
def control_after_end(context):
    with context.start() as program:
        program.expect_works()
        program.send(frame(END) + frame(PING, b"12345678") + frame(CREDIT, struct.pack(">QQ", 1, 1)))
        program.wait_for_peers_end()
        program.wait_for_end()
        program.require_exit()


@clause("10", "data after the end is a mistake, and so is a second end")
def data_after_end(context):
    seen = []
    for mistake in (frame(MESSAGE, b"1"), frame(END)):
        with context.start(window=MOST) as program:
            program.grants = False
            # What it still has to send keeps the program there.
            for _ in range(40):
                program.put(frame(BYTES, bytes(10_000)))
            program.wait_for_frames(1 + MOST // 10_064)
            if program.all[0].waiting:
                raise NotApplicable("it takes nothing more until it has credit")
            program.frames.clear()
            program.send(frame(END) + mistake)
            seen.append(program.expect_protocol_error())
    return "; ".join(seen)


@clause("10", "a request under way when this side ends is answered")
def answer_after_end(context):
    context.require_conversations()
    with context.start() as program:
        ids = [program.open(b"%d" % number) for number in range(3)]
        program.end()
        for number, id in enumerate(ids):
            program.expect_value(number, id)
        program.wait_for_peers_end()
        program.wait_for_end()
        program.require_exit()


@clause("10", "a conversation in which this side owes a message is over with its end")
def owed(context):
    context.require_conversations()
    with context.start() as program:
        id = program.open(b"1", flags=OPEN)
        program.expect_value(1, id, is_open=True)
        begun = program.own_id(2)
        program.put(frame(BYTES, with_description({"name": "x"}, b"begun"), META | MORE, id=begun))
        program.end()
        program.wait_for_peers_end()
        program.wait_for_end()
        require(not program.frames, "frames came that nobody asked for")
        program.require_exit()


@clause("10", "what a child sends right before it ends arrives, as far as credit goes and beyond", "child")
def farewell(context):
    for window in (1 << 40, MOST):
        with context.start(window=window) as program:
            program.ask("farewell", count=50_000)
            program.wait_for_end()
            require(len(program.frames) == 50_000, f"{len(program.frames)} of 50,000 messages arrived")
            for number in range(50_000):
                message = program.frames[number]
                is_same = message.kind == MESSAGE and decode(message.body) == number
                require(is_same, f"{message} came in place of {number}")
            program.require_exit()


@clause("10", "the end of the stream with something unread (ECONNRESET) is an end")
def reset(context):
    with context.start() as program:
        program.wait_for_hello()
        program.socket.send(frame(MESSAGE, b"1"))
        # The answer is in this side's socket when that closes.
        program.wait_for_input()
        program.socket.close()
        program.exit_code()


@clause("10", "the end of the stream at once is an end")
def closed(context):
    with context.start(hello=False) as program:
        program.wait_for_hello()
        program.socket.close()
        program.exit_code()


@clause("10", "the end of the stream while messages are being answered is an end")
def closed_amid(context):
    with context.start() as program:
        program.wait_for_hello()
        for _ in range(200):
            program.put(frame(BYTES, bytes(1000)))
        program.socket.close()
        program.exit_code()


@clause("10", "whole messages before the end of the stream are delivered, and half a one is no reason to hang")
def truncated(context):
    with context.start() as program:
        program.put_value("whole")
        program.put(frame(MESSAGE, b'"ha', MORE))
        program.expect_value("whole")
        program.send(frame(MESSAGE, b'lf"')[:10])
        program.finish()
        program.wait_for_end()
        require(not program.frames or program.frames[0].kind == ABORT, f"{program.frames and program.frames[0]} came")
        program.exit_code()

#!/usr/bin/env python3
"""A small agent for Plumbline, in Python: pipes and local sockets, by the protocol alone.

It is the model for an agent of your own; docs/agent-protocol.md explains every message. One root process connects to
the harness, opens channels and forks a process for each that the scenario names; each of those connects for itself.

Python repeats calls that a signal interrupts (PEP 475) unless the handler raises an exception; so a handler here raises
one where the scenario did not ask for SA_RESTART. The agent knows no meetings in shared memory: its races go by messages.
"""

import errno
import json
import os
import platform
import select
import signal
import socket
import sys
import time

PROTOCOL = 1
MECHANISMS = ["pipe", "unix_stream", "unix_datagram", "unix_seqpacket"]
SOCKET_TYPES = {
    "unix_stream": socket.SOCK_STREAM,
    "unix_datagram": socket.SOCK_DGRAM,
    "unix_seqpacket": socket.SOCK_SEQPACKET,
}
LARGE = 1 << 17  # a buffer for messages whose receiver names none


# --- The connection: one JSON object a line. -------------------------------------------------------------------------


class Connection:
    """A connection to the harness."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(os.environ["PLUMBLINE_SOCKET"])
        self.buffer = b""

    def say(self, name, **content):
        line = json.dumps({name: content}) + "\n"
        self.socket.sendall(line.encode(), socket.MSG_NOSIGNAL)

    def lines_that_came(self):
        """What is there now; None at the end of the connection."""
        data = self.socket.recv(1 << 16)
        if not data:
            return None
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        return [next(iter(json.loads(line).items())) for line in lines]

    def next(self):
        """The next message, as its name and content. The end of the connection means: die."""
        while not getattr(self, "queue", None):
            self.queue = self.lines_that_came()
            if self.queue is None:
                os._exit(0)
        return self.queue.pop(0)


# --- Stamps: bytes that tell who sent them, in which message, at which offset. ---------------------------------------


def stamp(writer, message, size):
    """A message of so many stamped bytes."""
    content = bytearray([writer << 4 | message & 7]) * size
    for offset in range(7, size, 8):
        block = offset // 8
        digit = message >> 3 * (block + 1) if block < 4 else block
        content[offset] = writer << 4 | 8 | digit & 7
    return bytes(content)


# --- Channels. ------------------------------------------------------------------------------------------------------


class Channel:
    """One channel: the end that is written to and the end that is read from, or two sockets that do both."""

    def __init__(self, mechanism, declared):
        self.name = declared["name"]
        self.stamped = declared["stamped"]
        self.is_queue = declared["options"]["is"] == "queue"
        if mechanism == "pipe":
            self.read_end, self.write_end = os.pipe()
        else:
            # Writers share the one socket of a pair, readers the other.
            pair = socket.socketpair(socket.AF_UNIX, SOCKET_TYPES[mechanism])
            self.write_end, self.read_end = (end.detach() for end in pair)
        self.is_socket = mechanism != "pipe"

    def keep(self, ends):
        """In a child: closes what it does not hold."""
        keeps_write = any(end in ("write", "both", "first") for end in ends)
        keeps_read = any(end in ("read", "both", "second") for end in ends)
        if "first" in ends or "second" in ends:
            # Both directions of one socket.
            held = self.write_end if "first" in ends else self.read_end
            os.close(self.read_end if "first" in ends else self.write_end)
            self.write_end = self.read_end = held
            return
        if not keeps_write:
            self.close_end("write")
        if not keeps_read:
            self.close_end("read")

    def close_end(self, end):
        descriptor = self.write_end if end == "write" else self.read_end
        if descriptor is None:
            return
        os.close(descriptor)
        if self.write_end == descriptor:
            self.write_end = None
        if self.read_end == descriptor:
            self.read_end = None

    def close(self):
        self.close_end("write")
        self.close_end("read")

    def socket_of(self, descriptor):
        """A socket object for a descriptor, which stays open when the object goes."""
        return socket.socket(fileno=os.dup(descriptor))


def nonblocking(descriptor, call):
    """Makes a call with O_NONBLOCK set for its time."""
    os.set_blocking(descriptor, False)
    try:
        return call()
    finally:
        os.set_blocking(descriptor, True)


# --- Operations: each makes its one call and says what it gave. -------------------------------------------------------


class Unknown(Exception):
    """An operation that this agent does not know."""


class Performer:
    """What one process does."""

    def __init__(self, number, channels, peers):
        self.number = number
        self.channels = channels
        self.peers = peers
        self.sent = {}
        self.caught = []
        self.in_call = False

    def perform(self, operation, channel):
        name, arguments = next(iter(operation.items()))
        method = getattr(self, "do_" + name, None)
        if method is None:
            raise Unknown(f"this agent does not know the operation `{name}`")
        self.in_call = True
        try:
            return method(arguments, self.channels.get(channel))
        finally:
            self.in_call = False

    def payload(self, arguments, channel):
        if arguments.get("text") is not None:
            return arguments["text"].encode()
        return stamp(self.number, self.sent.get(channel.name, 0), arguments["size"])

    def send_bytes(self, arguments, channel):
        content = self.payload(arguments, channel)
        descriptor = need(channel.write_end)
        call = lambda: os.write(descriptor, content)
        count = nonblocking(descriptor, call) if arguments.get("nonblocking") else call()
        self.sent[channel.name] = self.sent.get(channel.name, 0) + 1
        return {"count": count}

    do_write = send_bytes
    do_send = send_bytes

    def receive_piece(self, arguments, channel, without_waiting):
        """One piece, or None at the end."""
        descriptor = need(channel.read_end)
        size = arguments.get("size")
        size = LARGE if size is None else size
        truncated = False
        if channel.is_socket:
            flags = socket.MSG_PEEK if arguments.get("peek") else 0
            flags |= socket.MSG_DONTWAIT if without_waiting else 0
            with channel.socket_of(descriptor) as end:
                content, _, got, _ = end.recvmsg(size, 0, flags)
            truncated = bool(got & socket.MSG_TRUNC)
            at_end = not content and not (channel.is_queue and end_is_datagram(channel))
        else:
            call = lambda: os.read(descriptor, size)
            content = nonblocking(descriptor, call) if without_waiting else call()
            at_end = not content and size > 0
        if at_end:
            return None
        data = {"hex": content.hex()} if channel.stamped else {"text": content.decode(errors="replace")}
        piece = {"length": len(content), "data": data}
        if truncated:
            piece["truncated"] = True
        return piece

    def receive(self, arguments, channel):
        until = arguments.get("until")
        pieces = []
        while True:
            try:
                piece = self.receive_piece(arguments, channel, arguments.get("nonblocking") or until == "empty")
            except BlockingIOError:
                if until == "empty":
                    return {"received": {"pieces": pieces}}
                raise
            if piece is None:
                return {"received": {"pieces": pieces, "ended": True}}
            pieces.append(piece)
            if until is None:
                return {"received": {"pieces": pieces}}

    do_read = receive
    do_receive = receive

    def do_fill(self, arguments, channel):
        size = arguments.get("size") or 1
        total = 0
        try:
            while True:
                count = self.send_bytes({"size": size, "nonblocking": True}, channel)["count"]
                total += 1 if channel.is_queue else count
        except BlockingIOError:
            return {"count": total}

    def do_close(self, arguments, channel):
        if arguments.get("end"):
            need(channel.write_end if arguments["end"] == "write" else channel.read_end)
            channel.close_end(arguments["end"])
        else:
            channel.close()
        return "done"

    def do_set_nonblocking(self, arguments, channel):
        for descriptor in {channel.write_end, channel.read_end} - {None}:
            os.set_blocking(descriptor, bool(arguments.get("clear")))
        return "done"

    def do_shutdown(self, arguments, channel):
        direction = arguments.get("direction", "write")
        how = {"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}[direction]
        descriptor = channel.write_end if channel.write_end is not None else channel.read_end
        with channel.socket_of(need(descriptor)) as end:
            end.shutdown(how)
        return "done"

    def do_kill(self, arguments, _channel):
        os.kill(self.peers[arguments["process"]], signal_number(arguments.get("signal", "SIGKILL")))
        return "done"

    def do_sigaction(self, arguments, _channel):
        number = signal_number(arguments["signal"])
        restart = "SA_RESTART" in arguments.get("flags", [])

        def catch(caught, _frame):
            self.caught.append(signal_name(caught))
            if self.in_call and not restart:
                raise InterruptedError(errno.EINTR, os.strerror(errno.EINTR))

        actions = {"catch": catch, "ignore": signal.SIG_IGN, "default": signal.SIG_DFL}
        signal.signal(number, actions[arguments.get("action", "catch")])
        return "done"

    def do_caught(self, _arguments, _channel):
        return {"signals": [{"signal": name} for name in self.caught]}

    def do_sigmask(self, arguments, _channel):
        signal.pthread_sigmask(signal.SIG_BLOCK, map(signal_number, arguments.get("block", [])))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, map(signal_number, arguments.get("unblock", [])))
        return "done"

    def do_exit(self, arguments, _channel):
        os._exit(arguments.get("status") or 0)

    def do_enter(self, _arguments, _channel):
        return "done"

    do_leave = do_enter


def need(descriptor):
    """A descriptor that is held; one that is not is answered as the system would answer."""
    if descriptor is None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return descriptor


def end_is_datagram(channel):
    with channel.socket_of(channel.read_end) as end:
        return end.type == socket.SOCK_DGRAM


def signal_number(name):
    base, _, offset = name.partition("+") if "+" in name else name.partition("-")
    number = int(getattr(signal, base))
    return number + int(offset or 0) if "+" in name else number - int(offset or 0)


def signal_name(number):
    if signal.SIGRTMIN < number < signal.SIGRTMAX:
        return f"SIGRTMIN+{number - signal.SIGRTMIN}"
    return signal.Signals(number).name


# --- A process of a run. ----------------------------------------------------------------------------------------------


class Process:
    """The loop of one process."""

    def __init__(self, run, declared, channels):
        self.connection = Connection()
        self.channels = channels
        self.number = declared["number"]
        fileno = self.connection.socket.fileno()
        hello = {"run": run, "process": declared["name"], "pid": os.getpid(), "control_fd": fileno}
        self.connection.say("hello", process=hello)
        self.performer = None

    def live(self):
        while True:
            name, content = self.connection.next()
            if name == "peers":
                self.performer = Performer(self.number, self.channels, content["pids"])
            elif name == "do":
                self.step(content, 0)
            elif name == "steps":
                for run in range(content["runs"]):
                    self.meet("start", run)
                    for step in content["steps"]:
                        self.step(step, run)
                self.connection.say("finished", runs=content["runs"])
            else:
                self.problem(f"a process cannot `{name}`")

    def meet(self, meeting, run):
        """Waits until all are at a meeting. This agent's meetings go by messages."""
        self.connection.say("met", meeting=meeting, run=run)
        name, _ = self.connection.next()
        if name != "go":
            self.problem(f"waits for `go` and is told `{name}`")

    def step(self, step, run):
        operation = step["operation"]
        self.connection.say("begin", step=step["step"], run=run, at=time.monotonic_ns())
        if "meet" in operation:
            began = time.monotonic_ns()
            self.meet(operation["meet"]["meeting"], run)
            outcome = "done"
        else:
            began = time.monotonic_ns()
            try:
                outcome = self.performer.perform(operation, step.get("channel"))
            except OSError as error:
                outcome = {"failed": errno.errorcode[error.errno]}
            except Unknown as error:
                self.problem(str(error))
        self.connection.say("end", step=step["step"], run=run, began=began, ended=time.monotonic_ns(), outcome=outcome)

    def problem(self, message):
        self.connection.say("problem", message=message)
        os._exit(2)


# --- The root. --------------------------------------------------------------------------------------------------------


class Root:
    """Opens channels, starts processes, reports how they end."""

    def __init__(self):
        self.connection = Connection()
        self.children = {}
        self.run = 0
        # A child's end makes this readable: the root waits for it and for commands at once.
        self.woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self.waker = waker

    def live(self):
        self.connection.say("hello", root={
            "protocol": PROTOCOL,
            "agent": "plumbline-agent-python 1.0",
            "mechanisms": MECHANISMS,
            "capabilities": [],
            "lacks": [
                "sigqueue", "sigwait", "sigsuspend", "sigpending",
                "poll", "epoll_add", "epoll_wait", "send_handle", "receive_handle",
                "fork", "exec", "requeue", "wait_on_any", "waitpid", "setpgid", "setrlimit", "change_user",
                "sigaltstack", "signalfd", "signalfd_read", "pidfd_open", "pidfd_send_signal", "pidfd_poll",
                "pass_credentials", "send_credentials", "receive_credentials", "peer_credentials",
                "unread", "set_capacity",
                "fence",
            ],
            "limits": limits(),
            "system": {
                "os": platform.system().lower(),
                "release": platform.release(),
                "machine": platform.machine(),
                "libc": " ".join(platform.libc_ver()),
            },
        })
        while True:
            ready, _, _ = select.select([self.connection.socket, self.woken], [], [])
            if self.woken in ready:
                os.read(self.woken, 4096)
                self.reap(os.WNOHANG)
            if self.connection.socket in ready:
                messages = self.connection.lines_that_came()
                if messages is None:
                    self.end_children()
                    sys.exit(0)
                for name, content in messages:
                    self.obey(name, content)

    def obey(self, name, content):
        if name == "open":
            self.open(content)
        elif name == "close":
            self.end_children()
            self.connection.say("closed", run=content["run"], leaked=[])
        else:
            self.connection.say("problem", message=f"a root cannot `{name}`")
            sys.exit(2)

    def open(self, wanted):
        self.run = wanted["run"]
        if wanted["mechanism"] not in MECHANISMS or wanted["attach"] != "inherit":
            reason = f"this agent has no {wanted['mechanism']} that is attached to so: {wanted['attach']}"
            self.connection.say("refused", run=self.run, **{"class": "unsupported"}, reason=reason)
            return
        channels = {declared["name"]: Channel(wanted["mechanism"], declared) for declared in wanted["channels"]}
        for declared in wanted["processes"]:
            child = os.fork()
            if child == 0:
                self.become(declared, channels)
            self.children[child] = declared["name"]
        for channel in channels.values():
            channel.close()
        self.connection.say("opened", run=self.run)

    def become(self, declared, channels):
        """In a child: nothing of the root's is left, and nothing of others' channels."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            for descriptor in (self.woken, self.waker):
                os.close(descriptor)
            self.connection.socket.close()
            for channel in channels.values():
                channel.keep([hold["end"] for hold in declared["holds"] if hold["channel"] == channel.name])
            Process(self.run, declared, channels).live()
        except BrokenPipeError:
            os._exit(0)
        except Exception as error:  # pylint: disable=broad-except
            print(f"{declared['name']}: {error!r}", file=sys.stderr)
        os._exit(2)

    def reap(self, flags):
        while self.children:
            try:
                child, status = os.waitpid(-1, flags)
            except ChildProcessError:
                return
            if child == 0:
                return
            if os.WIFSIGNALED(status):
                ending = {"signal": signal_name(os.WTERMSIG(status))}
            else:
                ending = {"status": os.WEXITSTATUS(status)}
            self.connection.say("exited", run=self.run, process=self.children.pop(child), ending=ending)

    def end_children(self):
        for child in self.children:
            os.kill(child, signal.SIGKILL)
        try:
            self.reap(0)
        except OSError:
            pass  # the harness is gone: nobody is left to be told


def limits():
    """The limits that Python can ask for."""
    asked = {
        "PIPE_BUF": lambda: select.PIPE_BUF,
        "PAGE_SIZE": lambda: os.sysconf("SC_PAGE_SIZE"),
        "PATH_MAX": lambda: os.pathconf("/", "PC_PATH_MAX"),
        "NAME_MAX": lambda: os.pathconf("/", "PC_NAME_MAX"),
        "OPEN_MAX": lambda: os.sysconf("SC_OPEN_MAX"),
        "IOV_MAX": lambda: os.sysconf("SC_IOV_MAX"),
        "RTSIG_MAX": lambda: signal.SIGRTMAX - signal.SIGRTMIN + 1,
    }
    values = {name: ask() for name, ask in asked.items()}
    return {name: value for name, value in values.items() if value > 0}


def main():
    if "PLUMBLINE_SOCKET" not in os.environ:
        print("PLUMBLINE_SOCKET is not set: this program is started by `cargo xtask conform --agent`", file=sys.stderr)
        sys.exit(2)
    os.umask(0o022)
    Root().live()


if __name__ == "__main__":
    main()

"""Tests of the Python agent that need no harness: its stamps, and its life from hello to the end of its connection."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import plumbline_agent  # noqa: E402  pylint: disable=wrong-import-position


class Stamps(unittest.TestCase):
    def test_the_examples_of_the_protocol(self):
        self.assertEqual(plumbline_agent.stamp(2, 0, 16).hex(" "), "20 20 20 20 20 20 20 28 20 20 20 20 20 20 20 28")
        self.assertEqual(plumbline_agent.stamp(2, 17, 9).hex(" "), "21 21 21 21 21 21 21 2a 21")

    def test_an_empty_message(self):
        self.assertEqual(plumbline_agent.stamp(1, 0, 0), b"")


class Signals(unittest.TestCase):
    def test_names_and_numbers_agree(self):
        for name in ("SIGUSR1", "SIGKILL", "SIGRTMIN+3"):
            self.assertEqual(plumbline_agent.signal_name(plumbline_agent.signal_number(name)), name)


class Life(unittest.TestCase):
    """A harness of a few lines."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        path = os.path.join(self.directory.name, "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.agent = subprocess.Popen(
            [sys.executable, os.path.join(HERE, "plumbline_agent.py")], env={**os.environ, "PLUMBLINE_SOCKET": path}
        )
        self.root = self.accept()

    def tearDown(self):
        self.agent.kill()
        self.agent.wait()
        self.root.close()
        self.listener.close()
        self.directory.cleanup()

    def accept(self):
        connection, _ = self.listener.accept()
        with connection:
            return connection.makefile("rw")

    def hear(self, connection):
        return next(iter(json.loads(connection.readline()).items()))

    def say(self, connection, name, **content):
        connection.write(json.dumps({name: content}) + "\n")
        connection.flush()

    def open_pipe(self):
        channel = {"name": "line", "options": {"is": "stream"}, "stamped": False}
        process = {"name": "both", "number": 1, "holds": [{"channel": "line", "end": "both"}]}
        self.say(self.root, "open", run=1, mechanism="pipe", attach="inherit", directory=self.directory.name,
                 prefix="x-", channels=[channel], processes=[process], copies=1, processors=[])
        process = self.accept()
        self.assertEqual(self.hear(process)[0], "hello")
        self.assertEqual(self.hear(self.root), ("opened", {"run": 1}))
        self.say(process, "peers", pids={"both": 1})
        return process

    def do(self, process, step, operation):
        self.say(process, "do", step=step, operation=operation, channel="line")
        self.assertEqual(self.hear(process)[0], "begin")
        name, end = self.hear(process)
        self.assertEqual(name, "end")
        self.assertLessEqual(end["began"], end["ended"])
        return end["outcome"]

    def test_from_hello_to_closed(self):
        name, hello = self.hear(self.root)
        self.assertEqual((name, hello["root"]["protocol"]), ("hello", 1))
        process = self.open_pipe()
        self.assertEqual(self.do(process, 0, {"write": {"text": "hello"}}), {"count": 5})
        received = self.do(process, 1, {"read": {"size": 64}})
        self.assertEqual(received["received"]["pieces"], [{"length": 5, "data": {"text": "hello"}}])
        self.assertEqual(self.do(process, 2, {"read": {"size": 1, "nonblocking": True}}), {"failed": "EAGAIN"})
        self.say(self.root, "close", run=1)
        self.assertEqual(self.hear(self.root)[0], "exited")
        self.assertEqual(self.hear(self.root), ("closed", {"run": 1, "leaked": []}))
        process.close()

    def test_an_unknown_operation_is_a_problem(self):
        self.hear(self.root)
        process = self.open_pipe()
        self.say(process, "do", step=0, operation={"fly": {}}, channel="line")
        self.assertEqual(self.hear(process)[0], "begin")
        self.assertEqual(self.hear(process)[0], "problem")
        process.close()

    def test_the_end_of_the_connection_ends_it(self):
        self.hear(self.root)
        process = self.open_pipe()
        self.root.close()
        self.listener.close()
        # The root's file object was the only holder of the connection.
        self.agent.wait(timeout=10)
        self.assertEqual(self.agent.returncode, 0)
        process.close()


if __name__ == "__main__":
    unittest.main()

/* The least that a scenario of two processes and two steps costs which keeps to the agent protocol: so many times, a root forks a writer
 * and a reader that hold one pipe, both connect and say hello, each does one step, and the root kills them and waits for them. Messages
 * are as long as real ones and are not read; nobody proves anything, and nobody looks for leftovers.
 * Argument: rounds. Prints the nanoseconds of all rounds together. */
#define _GNU_SOURCE
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WRITER, READER, PROCESSES };

#define OPEN "{\"open\":{\"run\":1,\"mechanism\":\"pipe\",\"attach\":\"inherit\",\"directory\":\"/tmp/x/files\"," \
    "\"prefix\":\"plumbline-1-2-0-\",\"channels\":[{\"name\":\"line\",\"options\":{\"is\":\"stream\"},\"stamped\":false}]," \
    "\"processes\":[{\"name\":\"writer\",\"number\":1,\"holds\":[{\"channel\":\"line\",\"end\":\"write\"}]}," \
    "{\"name\":\"reader\",\"number\":2,\"holds\":[{\"channel\":\"line\",\"end\":\"read\"}]}],\"copies\":1,\"processors\":[]}}\n"
#define OPENED "{\"opened\":{\"run\":1}}\n"
#define HELLO(NAME) "{\"hello\":{\"process\":{\"run\":1,\"process\":\"" NAME "\",\"pid\":12,\"control_fd\":5}}}\n"
#define DO "{\"peers\":{\"pids\":{\"writer\":12,\"reader\":13}}}\n" \
    "{\"do\":{\"step\":0,\"operation\":{\"write\":{\"text\":\"x\"}},\"channel\":\"line\"}}\n"
#define BEGIN "{\"begin\":{\"step\":0,\"run\":0,\"at\":1000}}\n"
#define END "{\"end\":{\"step\":0,\"run\":0,\"began\":1010,\"ended\":2000,\"outcome\":{\"count\":1}}}\n"
#define CLOSE "{\"close\":{\"run\":1}}\n"
#define CLOSED "{\"closed\":{\"run\":1,\"leaked\":[]}}\n"

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static char heard[4096];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void say(int connection, const char *line) {
    if (send(connection, line, strlen(line), MSG_NOSIGNAL) < 0) fail("send");
}

/* Returns whether anything came: nothing does at the end of the connection. */
static int hear(int connection) {
    ssize_t length = recv(connection, heard, sizeof heard - 1, 0);
    if (length < 0) fail("recv");
    heard[length] = 0;
    return length > 0;
}

static int dial(void) {
    int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    return connection;
}

static void process(int self, int end) {
    int connection = dial();
    say(connection, self == WRITER ? HELLO("writer") : HELLO("reader"));
    while (hear(connection)) {
        char byte = 'x';
        say(connection, BEGIN);
        if (self == WRITER ? write(end, &byte, 1) != 1 : read(end, &byte, 1) != 1) fail("the step");
        say(connection, END);
    }
    _exit(0);
}

static void root(void) {
    int connection = dial();
    /* In place of a hello, which only the first scenario would pay for. */
    say(connection, OPENED);
    while (hear(connection)) {
        int ends[PROCESSES];
        pid_t pids[PROCESSES];
        if (pipe(ends) < 0) fail("pipe");
        for (int self = WRITER; self < PROCESSES; self++) {
            pids[self] = fork();
            if (pids[self] < 0) fail("fork");
            if (pids[self] > 0) continue;
            close(connection);
            close(ends[self == WRITER ? 0 : 1]);
            process(self, ends[self == WRITER ? 1 : 0]);
        }
        close(ends[0]);
        close(ends[1]);
        say(connection, OPENED);
        if (!hear(connection)) break;
        for (int self = WRITER; self < PROCESSES; self++) kill(pids[self], SIGKILL);
        for (int self = WRITER; self < PROCESSES; self++)
            if (waitpid(pids[self], NULL, 0) < 0) fail("waitpid");
        say(connection, CLOSED);
    }
    _exit(0);
}

static void wait_for(int descriptor) {
    struct pollfd waited_for = { .fd = descriptor, .events = POLLIN };
    if (poll(&waited_for, 1, 5000) != 1) fail("poll");
}

/* Listens until a message with this word has come. */
static void hear_of(int connection, const char *word) {
    do {
        wait_for(connection);
        if (!hear(connection)) fail("a connection ended");
    } while (!strstr(heard, word));
}

static void one_scenario(int listener, int control) {
    int members[PROCESSES];
    say(control, OPEN);
    for (int count = 0; count < PROCESSES; count++) {
        wait_for(listener);
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection < 0) fail("accept4");
        hear_of(connection, "hello");
        members[strstr(heard, "writer") ? WRITER : READER] = connection;
    }
    hear_of(control, "opened");
    for (int self = WRITER; self < PROCESSES; self++) {
        say(members[self], DO);
        hear_of(members[self], "end");
    }
    say(control, CLOSE);
    hear_of(control, "closed");
    for (int self = WRITER; self < PROCESSES; self++) close(members[self]);
}

int main(int argc, char **argv) {
    if (argc != 2) return 2;
    long rounds = atol(argv[1]);
    /* All on one processor, as the processes of a story and who tells it are. */
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(sched_getcpu(), &first);
    sched_setaffinity(0, sizeof first, &first);
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/plumbline-bench-%d", getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 16) < 0) fail("listen");
    pid_t agent = fork();
    if (agent < 0) fail("fork");
    if (agent == 0) root();
    wait_for(listener);
    int control = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (control < 0) fail("accept4");
    hear_of(control, "opened");
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long round = 0; round < rounds; round++) one_scenario(listener, control);
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
    close(control);
    unlink(address.sun_path);
    return waitpid(agent, NULL, 0) < 0;
}

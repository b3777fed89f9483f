/* A race in a hand-written loop: what `benches/race.rs` compares Plumbline with.
 *
 * race RACE RELEASE ITERATIONS
 *   RACE     pipe | mq | semop | nonblocking | store_buffer
 *   RELEASE  spin (go on when the other is seen) | instant (go on at a common instant of the clock)
 *
 * Two processes, each on a processor of its own; 64 objects, opened ahead and used again; both look at the clock before and
 * after the calls that race. Prints the nanoseconds of the loop, in how many iterations the calls overlapped, and of how many. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OBJECTS = 64 };
#define LEAD_NS 300

struct place { /* written by one process, read by the other */
    _Atomic uint32_t times;
    _Atomic uint64_t came[2];
    char pad[104];
};
struct record { uint64_t began, ended; long result; };
struct cell { _Atomic uint64_t x; char pad[120]; _Atomic uint64_t y; }; /* at the beginning of an object of shared memory */
struct shared {
    struct place places[2];
    struct record records[2][OBJECTS];
    uint64_t overlapped, outcomes[4], ns;
};

static struct shared *shared;
static int pipes[OBJECTS][2], semaphores[OBJECTS];
static mqd_t queues[OBJECTS];
static struct cell *cells[OBJECTS];
static int me, at_instant;

static void fail(const char *what) { perror(what); exit(1); }

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void meet(int instant) {
    struct place *own = &shared->places[me], *other = &shared->places[!me];
    uint32_t time = atomic_load_explicit(&own->times, memory_order_relaxed) + 1;
    uint64_t latest = 0;
    if (instant) {
        latest = now();
        atomic_store_explicit(&own->came[time & 1], latest, memory_order_relaxed);
    }
    atomic_store(&own->times, time);
    while ((int32_t)(atomic_load_explicit(&other->times, memory_order_acquire) - time) < 0)
        __builtin_ia32_pause();
    if (instant) {
        uint64_t came = atomic_load_explicit(&other->came[time & 1], memory_order_relaxed);
        uint64_t until = (came > latest ? came : latest) + LEAD_NS;
        while (now() < until)
            __builtin_ia32_pause();
    }
}

/* What both do after the release, and what one does after that. */

static void pipe_race(int i, struct record *r) {
    char bytes[16];
    memset(bytes, me + 1, 8);
    meet(at_instant);
    r->began = now();
    r->result = write(pipes[i][1], bytes, 8);
    r->ended = now();
    meet(0);
    if (me == 0) {
        if (read(pipes[i][0], bytes, 16) != 16) fail("read");
        r->result = bytes[0];
    }
}

static void mq_race(int i, struct record *r) {
    char bytes[8];
    memset(bytes, me + 1, 8);
    meet(at_instant);
    r->began = now();
    r->result = mq_send(queues[i], bytes, 8, 0);
    r->ended = now();
    meet(0);
    if (me == 0) {
        char first[8], second[8];
        if (mq_receive(queues[i], first, 8, NULL) != 8 || mq_receive(queues[i], second, 8, NULL) != 8) fail("mq_receive");
        r->result = first[0];
    }
}

static void semop_race(int i, struct record *r) {
    struct sembuf down = { 0, -1, IPC_NOWAIT };
    meet(at_instant);
    r->began = now();
    r->result = semop(semaphores[i], &down, 1) == 0;
    r->ended = now();
}

static void nonblocking_race(int i, struct record *r) {
    char bytes[8] = "1234567";
    meet(at_instant);
    r->began = now();
    r->result = me == 0 ? write(pipes[i][1], bytes, 8) : read(pipes[i][0], bytes, 8);
    r->ended = now();
}

static void store_buffer_race(int i, struct record *r) {
    struct cell *cell = cells[i];
    _Atomic uint64_t *mine = me ? &cell->y : &cell->x, *other = me ? &cell->x : &cell->y;
    meet(at_instant);
    r->began = now();
    atomic_store_explicit(mine, 1, memory_order_relaxed);
    r->result = (long)atomic_load_explicit(other, memory_order_relaxed);
    atomic_thread_fence(memory_order_seq_cst);
    r->ended = now();
}

/* Makes an object as new. */

static void nothing(int i) { (void)i; }

static void refill(int i) {
    if (semctl(semaphores[i], 0, SETVAL, 1) < 0) fail("semctl");
}

static void drain(int i) {
    char bytes[64];
    while (read(pipes[i][0], bytes, sizeof bytes) > 0) { }
    if (errno != EAGAIN) fail("drain");
}

static void clear(int i) {
    atomic_store_explicit(&cells[i]->x, 0, memory_order_relaxed);
    atomic_store_explicit(&cells[i]->y, 0, memory_order_relaxed);
}

/* Where both have the lines of an object, a store to it has to wait for the other's: then it can be passed. */
static void look(int i) {
    (void)atomic_load_explicit(&cells[i]->x, memory_order_relaxed);
    (void)atomic_load_explicit(&cells[i]->y, memory_order_relaxed);
}

static const struct race {
    const char *name;
    void (*once)(int, struct record *);
    void (*renew)(int);
    void (*look)(int);
} races[] = {
    { "pipe", pipe_race, nothing, NULL },
    { "mq", mq_race, nothing, NULL },
    { "semop", semop_race, refill, NULL },
    { "nonblocking", nonblocking_race, drain, NULL },
    { "store_buffer", store_buffer_race, clear, look },
};

static void open_objects(const char *name) {
    for (int i = 0; i < OBJECTS; i++) {
        int flags = strcmp(name, "nonblocking") == 0 ? O_NONBLOCK : 0;
        if (pipe2(pipes[i], flags) < 0) fail("pipe2");
        if (strcmp(name, "mq") == 0) {
            struct mq_attr attributes = { .mq_maxmsg = 4, .mq_msgsize = 8 };
            char path[64];
            snprintf(path, sizeof path, "/plumbline-bench-%d-%d", getpid(), i);
            queues[i] = mq_open(path, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
            if (queues[i] == (mqd_t)-1) fail("mq_open");
            mq_unlink(path);
        }
        if (strcmp(name, "semop") == 0) {
            semaphores[i] = semget(IPC_PRIVATE, 1, 0600);
            if (semaphores[i] < 0) fail("semget");
            refill(i);
        }
        if (strcmp(name, "store_buffer") == 0) {
            char path[64];
            snprintf(path, sizeof path, "/plumbline-bench-%d-%d", getpid(), i);
            int object = shm_open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
            if (object < 0) fail("shm_open");
            shm_unlink(path);
            if (ftruncate(object, sizeof *cells[i]) < 0) fail("ftruncate");
            cells[i] = mmap(NULL, sizeof *cells[i], PROT_READ | PROT_WRITE, MAP_SHARED, object, 0);
            if (cells[i] == MAP_FAILED) fail("mmap");
            close(object);
        }
    }
}

static void count(void) {
    for (int i = 0; i < OBJECTS; i++) {
        struct record *a = &shared->records[0][i], *b = &shared->records[1][i];
        shared->overlapped += a->began < b->ended && b->began < a->ended;
        shared->outcomes[(a->result > 1) * 2 + (b->result > 0)]++;
    }
}

static void run(const struct race *race, long rounds) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(me, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
    meet(0);
    uint64_t started = now();
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < OBJECTS; i++)
            race->once(i, &shared->records[me][i]);
        meet(0);
        if (me == 0) {
            count();
            for (int i = 0; i < OBJECTS; i++)
                race->renew(i);
        }
        if (race->look) {
            meet(0);
            for (int i = 0; i < OBJECTS; i++) race->look(i);
        }
    }
    if (me == 0) shared->ns = now() - started;
}

int main(int argc, char **argv) {
    const struct race *race = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof races / sizeof *races; i++)
        if (strcmp(argv[1], races[i].name) == 0) race = &races[i];
    if (!race) {
        fprintf(stderr, "usage: race pipe|mq|semop|nonblocking|store_buffer spin|instant ITERATIONS\n");
        return 2;
    }
    at_instant = strcmp(argv[2], "instant") == 0;
    long rounds = (atol(argv[3]) + OBJECTS - 1) / OBJECTS;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    open_objects(race->name);
    for (int process = 0; process < 2; process++) {
        pid_t pid = fork();
        if (pid < 0) fail("fork");
        if (pid == 0) {
            me = process;
            run(race, rounds);
            _exit(0);
        }
    }
    int status, failed = 0;
    while (wait(&status) > 0) failed |= status;
    for (int i = 0; strcmp(race->name, "semop") == 0 && i < OBJECTS; i++) semctl(semaphores[i], 0, IPC_RMID);
    printf("%llu %llu %ld\n", (unsigned long long)shared->ns, (unsigned long long)shared->overlapped, rounds * OBJECTS);
    return failed ? 1 : 0;
}

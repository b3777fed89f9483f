/* The measured loops, written in C by hand: what `cargo xtask bench --twins` compares ours with.
 *
 * twins CELL SAMPLE_NS [PROCESSOR…]
 *   CELL       as in the report: pipe/round_trip/64/one_core
 *   SAMPLE_NS  how long the sample is to take
 *   PROCESSOR  where the parties run, one after another; none: where the system puts them
 *
 * Does what the reference agent does for the cell: the same calls in the same order, the same checks of what comes, batches until two in a
 * row take equally long, then one sample. Prints nanoseconds: the median round trip, or the time of a message or of taking and
 * giving back. Exits with 3 where it has no loop for the cell, or where the system's limits forbid it: a message that is too long.
 *
 * Compiled with PEER it measures the queue of ../peers/peer.h, which is linked to it, in place of `shm_ring`, and nothing else. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#ifdef PEER
#include "../peers/peer.h"
#endif

enum { PARTIES_MAX = 4, SLICES = 16, CLOCK_LOOKS = 1001, PATIENCE_S = 20 };
#define BATCH_NS 6e6
#define WARM_UP_MAX_NS 60e6
#define STEADY_WITHIN 0.03
#define STAGGER_NS 200000
#define LINE 64

/* Everything that the parties share; what different ones write lies on lines of its own. */
struct shared {
    struct { _Atomic uint32_t times; char pad[252]; } meeting[PARTIES_MAX];
    _Atomic long operations; char pad0[248];
    _Atomic uint64_t guarded; char pad1[248];
    _Atomic uint64_t stopped; char pad2[248];
    _Atomic uint64_t total; char pad3[248];
    _Atomic uint64_t word[2][32];
    _Atomic uint32_t futex; char pad4[252];
    struct { double cost; uint64_t began, ended, processor; } told[PARTIES_MAX];
    union { pthread_mutex_t mutex; char pad[256]; } mutex;
    union { pthread_cond_t condition; char pad[256]; } condition;
    union { pthread_barrier_t barrier; char pad[256]; } barrier;
    union { pthread_rwlock_t lock; char pad[256]; } rwlock;
    union { pthread_spinlock_t lock; char pad[256]; } spinlock;
    union { sem_t semaphore; char pad[256]; } semaphore[2];
};

static struct shared *shared;
static char mechanism[64], shape[32], placement[32];
static long number;
static size_t bytes;
static int parties, me, crowded, processors[PARTIES_MAX], processor_count;
static pid_t pids[PARTIES_MAX];
static unsigned char *sent, *room;
static uint64_t *lengths;
static long lengths_max;
static uint64_t clock_ns;

static int sysv[2], sets[2]; /* System V queues and semaphores: what outlives the process that made it */

static void clean_up(void) {
    if (pids[0] && getpid() != pids[0]) return;
    for (int way = 0; way < 2; way++) {
        if (sysv[0]) msgctl(sysv[way], IPC_RMID, NULL);
        if (sets[0]) semctl(sets[way], 0, IPC_RMID);
    }
}

static void give_up(int status) { clean_up(); exit(status); }
static void wrong(const char *what) { fprintf(stderr, "twins: %s\n", what); give_up(1); }

/* A call failed; where the system's limits forbid it, as they do ours, there is no figure and nothing is wrong. */
static void fail(const char *what) {
    int forbidden = errno == EINVAL || errno == EMSGSIZE;
    perror(what);
    give_up(forbidden ? 3 : 1);
}

static inline uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t processor_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int order(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static uint64_t middle(uint64_t *numbers, long count) {
    qsort(numbers, (size_t)count, sizeof *numbers, order);
    return numbers[count / 2];
}

/* Waits until all have come as often as this process: looks for a while, then lets others run. */
static void meet(void) {
    uint32_t time = atomic_fetch_add(&shared->meeting[me].times, 1) + 1;
    for (int other = 0; other < parties; other++)
        for (long looks = 0; atomic_load(&shared->meeting[other].times) < time; looks++)
            if (looks > 4000 || crowded) sched_yield(); else __builtin_ia32_pause();
}

static inline void stamp(uint64_t message) {
    if (bytes >= 8) memcpy(sent, &message, 8); else sent[0] = (unsigned char)message;
}

static inline void check(uint64_t message) {
    if (bytes >= 8) {
        uint64_t came;
        memcpy(&came, room, 8);
        if (came != message) wrong("another message was due");
    } else if (room[0] != (unsigned char)message) wrong("another message was due");
}

static uint64_t began;

static void begin(int staggered) {
    if (me == 0) {
        atomic_store(&shared->guarded, 0);
        atomic_store(&shared->stopped, 0);
        atomic_store(&shared->total, 0);
        atomic_store(&shared->word[0][0], 0);
        atomic_store(&shared->word[1][0], 0);
        atomic_store(&shared->futex, 0);
    }
    meet();
    if (me == 0 && staggered && !crowded)
        for (uint64_t until = now() + STAGGER_NS; now() < until;) __builtin_ia32_pause();
    shared->told[me].processor = processor_ns();
    shared->told[me].began = began = now();
}

static void end(void) {
    shared->told[me].ended = now();
    shared->told[me].processor = processor_ns() - shared->told[me].processor;
    meet();
}

/* A round trip is ASK in the first party and ANSWER in the second; `message` counts them. */
#define ROUND_TRIPS(ASK, ANSWER) do { \
    begin(1); \
    if (me == 0) { \
        for (long message = 0; message < operations; message++) { \
            uint64_t before = now(); \
            ASK; \
            lengths[message] = now() - before; \
        } \
    } else { \
        for (long message = 0; message < operations; message++) { ANSWER; } \
    } \
    end(); \
    if (me == 0) { \
        uint64_t length = middle(lengths, operations); \
        shared->told[0].cost = (double)(length > clock_ns ? length - clock_ns : 0); \
    } \
} while (0)

static uint64_t slices[SLICES + 1], slice_began;
static long slice_operations;
static int slice_count;

static inline void lap(void) {
    uint64_t at = now();
    if (slice_count < SLICES) slices[slice_count++] = at - slice_began;
    slice_began = at;
}

/* The time of one operation in the median slice; the first slice is the one in which the sender gets ahead. */
static double slice_cost(long operations) {
    if (slice_count < 2)
        return (double)(shared->told[me].ended - shared->told[me].began) / (double)operations;
    double cost;
    int count = slice_count - 1;
    qsort(slices + 1, (size_t)count, sizeof *slices, order);
    if (count % 2) cost = (double)slices[1 + count / 2];
    else cost = ((double)slices[count / 2] + (double)slices[1 + count / 2]) / 2;
    return cost / (double)slice_operations;
}

/* Does one operation so often, in slices that are timed. */
#define SLICED(ONE) do { \
    slice_operations = (operations + SLICES - 1) / SLICES; \
    slice_count = 0; \
    begin(0); \
    slice_began = began; \
    for (long message = 0; message < operations;) { \
        long until = message + slice_operations < operations ? message + slice_operations : operations; \
        int whole = until - message == slice_operations; \
        while (message < until) { ONE; message++; } \
        if (whole) lap(); \
    } \
    end(); \
} while (0)

static int on_one_core(void) { return strcmp(placement, "one_core") == 0; }

/* One way is SEND in the first party and RECEIVE in the second. Where all take turns on one processor, what they use of it counts. */
#define ONE_WAY(SEND, RECEIVE) do { \
    if (me == 0) { \
        begin(0); \
        for (long message = 0; message < operations; message++) { SEND; } \
        end(); \
    } else SLICED(RECEIVE); \
    if (me == 1) shared->told[1].cost = slice_cost(operations); \
    meet(); \
    if (me == 0) { \
        int deferred = strncmp(mechanism, "tcp", 3) == 0 || strncmp(mechanism, "udp", 3) == 0 || strcmp(mechanism, "pty") == 0; \
        shared->told[0].cost = on_one_core() && !deferred \
            ? (double)(shared->told[0].processor + shared->told[1].processor) / (double)operations \
            : shared->told[1].cost; \
    } \
} while (0)

/* All do ONE until one of them is through: so nobody does anything alone that is measured in company. */
#define TOGETHER(ONE) do { \
    long done = 0; \
    begin(0); \
    while (done < operations && atomic_load_explicit(&shared->stopped, memory_order_relaxed) == 0) { ONE; done++; } \
    atomic_store_explicit(&shared->stopped, 1, memory_order_relaxed); \
    atomic_fetch_add(&shared->total, (uint64_t)done); \
    end(); \
    if (me == 0) { \
        uint64_t first = UINT64_MAX, last = 0; \
        for (int party = 0; party < parties; party++) { \
            if (shared->told[party].began < first) first = shared->told[party].began; \
            if (shared->told[party].ended > last) last = shared->told[party].ended; \
        } \
        shared->told[0].cost = (double)(last - first) / (double)atomic_load(&shared->total); \
    } \
} while (0)

/* Takes and gives back, around a cell that is read and written as if nobody else did; in company until one is through. */
#define TAKE(LOCK, UNLOCK) do { \
    if (parties == 1) { \
        SLICED({ LOCK; \
            atomic_store_explicit(&shared->guarded, atomic_load_explicit(&shared->guarded, memory_order_relaxed) + 1, memory_order_relaxed); \
            UNLOCK; }); \
        shared->told[0].cost = slice_cost(operations); \
        atomic_store(&shared->total, (uint64_t)operations); \
    } else TOGETHER({ LOCK; \
        atomic_store_explicit(&shared->guarded, atomic_load_explicit(&shared->guarded, memory_order_relaxed) + 1, memory_order_relaxed); \
        UNLOCK; }); \
    if (atomic_load(&shared->guarded) != atomic_load(&shared->total)) wrong("it did not exclude"); \
} while (0)

/* Streams: descriptors of which `out` is written to and `in` read from. */
static int out, in;

static inline void write_all(void) {
    for (size_t done = 0; done < bytes;) {
        ssize_t length = write(out, sent + done, bytes - done);
        if (length < 0) fail("write");
        done += (size_t)length;
    }
}

static inline void read_all(void) {
    for (size_t done = 0; done < bytes;) {
        ssize_t length = read(in, room + done, bytes - done);
        if (length <= 0) fail("read");
        done += (size_t)length;
    }
}

static void of_stream(long operations) {
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); write_all(); read_all(); check((uint64_t)message); },
                    { read_all(); check((uint64_t)message); stamp((uint64_t)message); write_all(); });
    else
        ONE_WAY({ stamp((uint64_t)message); write_all(); }, { read_all(); check((uint64_t)message); });
}

/* Sockets that keep messages apart. */
static inline void send_whole(void) {
    if (send(out, sent, bytes, 0) != (ssize_t)bytes) fail("send");
}

static inline void receive_whole(void) {
    /* With MSG_TRUNC it gives the length that the message had: one that was cut is seen. */
    if (recv(in, room, bytes, MSG_TRUNC) != (ssize_t)bytes) fail("recv");
}

static void of_socket(long operations) {
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); send_whole(); receive_whole(); check((uint64_t)message); },
                    { receive_whole(); check((uint64_t)message); stamp((uint64_t)message); send_whole(); });
    else
        ONE_WAY({ stamp((uint64_t)message); send_whole(); }, { receive_whole(); check((uint64_t)message); });
}

static void of_packets(long operations) {
#define SEND_PACKET if (write(out, sent, bytes) != (ssize_t)bytes) fail("write")
#define RECEIVE_PACKET if (read(in, room, bytes) != (ssize_t)bytes) fail("read")
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); SEND_PACKET; RECEIVE_PACKET; check((uint64_t)message); },
                    { RECEIVE_PACKET; check((uint64_t)message); stamp((uint64_t)message); SEND_PACKET; });
    else
        ONE_WAY({ stamp((uint64_t)message); SEND_PACKET; }, { RECEIVE_PACKET; check((uint64_t)message); });
}

#ifdef PEER
static inline void is_number(uint64_t came, uint64_t message) {
    if (came != message) wrong("another message was due");
}

static void of_peer(long operations) {
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); peer_push(0, sent); peer_pop(1, room); check((uint64_t)message); },
                    { peer_pop(0, room); check((uint64_t)message); stamp((uint64_t)message); peer_push(1, sent); });
    else if (strcmp(shape, "round_trip_in_place") == 0)
        ROUND_TRIPS({ peer_push_in_place(0, (uint64_t)message); is_number(peer_pop_in_place(1), (uint64_t)message); },
                    { is_number(peer_pop_in_place(0), (uint64_t)message); peer_push_in_place(1, (uint64_t)message); });
    else if (strcmp(shape, "one_way_in_place") == 0)
        ONE_WAY({ peer_push_in_place(0, (uint64_t)message); }, { is_number(peer_pop_in_place(0), (uint64_t)message); });
    else if (strcmp(shape, "one_way_filled") == 0)
        ONE_WAY({ peer_push_filled(0, (uint64_t)message); },
                { is_number(peer_pop_filled(0, (uint64_t)message), (uint64_t)message); });
    else
        /* Also where ours sends several at once: they have no call for that. */
        ONE_WAY({ stamp((uint64_t)message); peer_push(0, sent); }, { peer_pop(0, room); check((uint64_t)message); });
}
#endif

static mqd_t queues[2];

static void of_posix_queue(long operations) {
    mqd_t to = queues[me], from = queues[!me];
#define MQ_SEND(Q) if (mq_send(Q, (char *)sent, bytes, 0) < 0) fail("mq_send")
#define MQ_RECEIVE(Q) if (mq_receive(Q, (char *)room, bytes, NULL) != (ssize_t)bytes) fail("mq_receive")
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); MQ_SEND(to); MQ_RECEIVE(from); check((uint64_t)message); },
                    { MQ_RECEIVE(from); check((uint64_t)message); stamp((uint64_t)message); MQ_SEND(to); });
    else
        ONE_WAY({ stamp((uint64_t)message); MQ_SEND(queues[0]); }, { MQ_RECEIVE(queues[0]); check((uint64_t)message); });
}

static long *boxes[2]; /* a message with its type before it */

static void of_sysv_queue(long operations) {
    int to = sysv[me], from = sysv[!me];
#define MSG_SEND(Q) if (msgsnd(Q, boxes[0], bytes, 0) < 0) fail("msgsnd")
#define MSG_RECEIVE(Q) if (msgrcv(Q, boxes[1], bytes, 0, 0) != (ssize_t)bytes) fail("msgrcv")
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ stamp((uint64_t)message); MSG_SEND(to); MSG_RECEIVE(from); check((uint64_t)message); },
                    { MSG_RECEIVE(from); check((uint64_t)message); stamp((uint64_t)message); MSG_SEND(to); });
    else
        ONE_WAY({ stamp((uint64_t)message); MSG_SEND(sysv[0]); }, { MSG_RECEIVE(sysv[0]); check((uint64_t)message); });
}

/* Counters carry no number: each party writes it into a cell of its own before it posts. */
#define COUNTER(POST, WAIT, POST_OWN, WAIT_OTHER) do { \
    _Atomic uint64_t *own = &shared->word[me][0], *other = &shared->word[!me][0]; \
    if (strcmp(shape, "take") == 0) TAKE(WAIT, POST); \
    else ROUND_TRIPS( \
        { atomic_store_explicit(own, (uint64_t)message + 1, memory_order_relaxed); POST_OWN; WAIT_OTHER; \
          if (atomic_load_explicit(other, memory_order_relaxed) != (uint64_t)message + 1) wrong("another round was due"); }, \
        { WAIT_OTHER; \
          if (atomic_load_explicit(other, memory_order_relaxed) != (uint64_t)message + 1) wrong("another round was due"); \
          atomic_store_explicit(own, (uint64_t)message + 1, memory_order_relaxed); POST_OWN; }); \
} while (0)

static int events[2];

static inline void event_post(int event) {
    uint64_t one = 1;
    if (write(event, &one, 8) != 8) fail("write");
}

static inline void event_wait(int event) {
    uint64_t value;
    if (read(event, &value, 8) != 8) fail("read");
    if (value != 1) wrong("one was due");
}

static void of_eventfd(long operations) {
    COUNTER(event_post(events[0]), event_wait(events[0]), event_post(events[me]), event_wait(events[!me]));
}

static sem_t *semaphores[2];

static void of_posix_semaphore(long operations) {
#define SEM_POST(S) if (sem_post(S) < 0) fail("sem_post")
#define SEM_WAIT(S) if (sem_wait(S) < 0) fail("sem_wait")
    COUNTER(SEM_POST(semaphores[0]), SEM_WAIT(semaphores[0]), SEM_POST(semaphores[me]), SEM_WAIT(semaphores[!me]));
}

static inline void sysv_change(int set, short by) {
    struct sembuf change = { .sem_num = 0, .sem_op = by, .sem_flg = 0 };
    if (semop(set, &change, 1) < 0) fail("semop");
}

static void of_sysv_semaphore(long operations) {
    COUNTER(sysv_change(sets[0], 1), sysv_change(sets[0], -1), sysv_change(sets[me], 1), sysv_change(sets[!me], -1));
}

/* Locks. */
static int file;

static void of_mutex(long operations) {
    pthread_mutex_t *mutex = &shared->mutex.mutex;
    TAKE(if (pthread_mutex_lock(mutex)) wrong("lock"), if (pthread_mutex_unlock(mutex)) wrong("unlock"));
}

static void of_rwlock(long operations) {
    pthread_rwlock_t *lock = &shared->rwlock.lock;
    TAKE(if (pthread_rwlock_wrlock(lock)) wrong("lock"), if (pthread_rwlock_unlock(lock)) wrong("unlock"));
}

static void of_spinlock(long operations) {
    pthread_spinlock_t *lock = &shared->spinlock.lock;
    TAKE(if (pthread_spin_lock(lock)) wrong("lock"), if (pthread_spin_unlock(lock)) wrong("unlock"));
}

static void of_flock(long operations) {
    TAKE(if (flock(file, LOCK_EX) < 0) fail("flock"), if (flock(file, LOCK_UN) < 0) fail("flock"));
}

static inline void set_lock(int command, short kind) {
    struct flock lock = { .l_type = kind, .l_whence = SEEK_SET };
    if (fcntl(file, command, &lock) < 0) fail("fcntl");
}

static void of_record_lock(long operations) {
    TAKE(set_lock(F_SETLKW, F_WRLCK), set_lock(F_SETLK, F_UNLCK));
}

static void of_ofd_lock(long operations) {
    TAKE(set_lock(F_OFD_SETLKW, F_WRLCK), set_lock(F_OFD_SETLK, F_UNLCK));
}

/* What wakes. */
static inline void futex_say(uint32_t value) {
    atomic_store(&shared->futex, value);
    if (syscall(SYS_futex, &shared->futex, FUTEX_WAKE, 1, NULL, NULL, 0) < 0) fail("futex");
}

static inline void futex_hear(uint32_t wanted) {
    for (;;) {
        uint32_t value = atomic_load(&shared->futex);
        if (value == wanted) return;
        if (syscall(SYS_futex, &shared->futex, FUTEX_WAIT, value, NULL, NULL, 0) < 0 && errno != EAGAIN) fail("futex");
    }
}

static void of_futex(long operations) {
    ROUND_TRIPS({ futex_say((uint32_t)message * 2 + 1); futex_hear((uint32_t)message * 2 + 2); },
                { futex_hear((uint32_t)message * 2 + 1); futex_say((uint32_t)message * 2 + 2); });
}

static void condition_turn(uint64_t from) {
    pthread_mutex_t *mutex = &shared->mutex.mutex;
    pthread_mutex_lock(mutex);
    while (atomic_load_explicit(&shared->guarded, memory_order_relaxed) != from)
        pthread_cond_wait(&shared->condition.condition, mutex);
    atomic_store_explicit(&shared->guarded, from + 1, memory_order_relaxed);
    pthread_cond_signal(&shared->condition.condition);
    pthread_mutex_unlock(mutex);
}

static void condition_await(uint64_t value) {
    pthread_mutex_t *mutex = &shared->mutex.mutex;
    pthread_mutex_lock(mutex);
    while (atomic_load_explicit(&shared->guarded, memory_order_relaxed) != value)
        pthread_cond_wait(&shared->condition.condition, mutex);
    pthread_mutex_unlock(mutex);
}

static void of_condition(long operations) {
    ROUND_TRIPS({ condition_turn((uint64_t)message * 2); condition_await((uint64_t)message * 2 + 2); },
                { condition_turn((uint64_t)message * 2 + 1); });
}

static inline void barrier_turn(uint64_t message) {
    atomic_store_explicit(&shared->word[me][0], message + 1, memory_order_relaxed);
    pthread_barrier_wait(&shared->barrier.barrier);
    if (atomic_load_explicit(&shared->word[!me][0], memory_order_relaxed) != message + 1) wrong("another round was due");
    pthread_barrier_wait(&shared->barrier.barrier);
}

static void of_barrier(long operations) {
    ROUND_TRIPS({ barrier_turn((uint64_t)message); }, { barrier_turn((uint64_t)message); });
}

/* Signals. */
static sigset_t signals, none;
static int signal_descriptor;
static volatile sig_atomic_t caught;
static volatile struct { int signal, code, pid; uint64_t value; int own, noted; } notes[16384];

static inline void check_signal(int signal, int pid) {
    if (signal != SIGUSR1 || pid != pids[!me]) wrong("another signal was due");
}

static inline void accept_signal(uint64_t *value) {
    siginfo_t information;
    int signal = sigwaitinfo(&signals, &information);
    if (signal < 0) fail("sigwaitinfo");
    check_signal(signal, information.si_pid);
    if (value) *value = (uint64_t)(uintptr_t)information.si_value.sival_ptr;
}

static inline void kill_other(void) {
    if (kill(pids[!me], SIGUSR1) < 0) fail("kill");
}

static void of_sigwait(long operations) {
    ROUND_TRIPS({ kill_other(); accept_signal(NULL); }, { accept_signal(NULL); kill_other(); });
}

static inline void queue_other(uint64_t message) {
    union sigval value = { .sival_ptr = (void *)(uintptr_t)message };
    if (sigqueue(pids[!me], SIGUSR1, value) < 0) fail("sigqueue");
}

static inline void accept_value(uint64_t message) {
    uint64_t value;
    accept_signal(&value);
    if (value != message) wrong("another value was due");
}

static void of_sigqueue(long operations) {
    ROUND_TRIPS({ queue_other((uint64_t)message); accept_value((uint64_t)message); },
                { accept_value((uint64_t)message); queue_other((uint64_t)message); });
}

static inline void read_signal(void) {
    struct signalfd_siginfo information;
    if (read(signal_descriptor, &information, sizeof information) != sizeof information) fail("read");
    check_signal((int)information.ssi_signo, (int)information.ssi_pid);
}

static void of_signalfd(long operations) {
    ROUND_TRIPS({ kill_other(); read_signal(); }, { read_signal(); kill_other(); });
}

static void note(int signal, siginfo_t *information, void *context) {
    (void)context;
    int index = caught++;
    if (index >= 16384) return;
    notes[index].signal = signal;
    notes[index].code = information->si_code;
    notes[index].pid = information->si_pid;
    notes[index].value = (uint64_t)(uintptr_t)information->si_value.sival_ptr;
    notes[index].noted = 1;
}

static inline void catch_signal(int due) {
    if (sigsuspend(&none) < 0 && errno != EINTR) fail("sigsuspend");
    if (caught != due) wrong("another signal was due");
}

static void of_handler(long operations) {
    int known = caught;
    ROUND_TRIPS({ kill_other(); catch_signal(known + (int)message + 1); }, { catch_signal(known + (int)message + 1); kill_other(); });
}

/* Memory: who waits looks all the time, or lets others run where there is but one processor. */
static unsigned char *memory;
static size_t memory_bytes;
enum { PLACE = 1024, PLACE_HEAD = 64, SENT = 2048, RECEIVED = 2304, ADDED = 2560, SLOTS = 4096 };

static inline _Atomic uint64_t *cell(size_t at) { return (_Atomic uint64_t *)(memory + at); }

static inline void rest(void) {
    if (crowded) sched_yield(); else __builtin_ia32_pause();
}

static inline void look_until_equal(_Atomic uint64_t *place, uint64_t wanted) {
    while (atomic_load_explicit(place, memory_order_acquire) != wanted) rest();
}

static inline void memory_put(size_t place, uint64_t message) {
    stamp(message);
    memcpy(memory + place + PLACE_HEAD, sent, bytes);
    atomic_store_explicit(cell(place), message + 1, memory_order_release);
}

static inline void memory_get(size_t place, uint64_t message) {
    look_until_equal(cell(place), message + 1);
    memcpy(room, memory + place + PLACE_HEAD, bytes);
    check(message);
}

static void of_memory(long operations) {
    size_t stride = (bytes + LINE - 1) / LINE * LINE;
    if (stride == 0) stride = LINE;
    uint64_t slots = (memory_bytes - SLOTS) / stride, seen = 0;
    if (strcmp(shape, "take") == 0) {
        if (me == 0) atomic_store(cell(ADDED), 0);
        if (parties == 1) {
            SLICED({ atomic_fetch_add(cell(ADDED), 1); });
            shared->told[0].cost = slice_cost(operations);
            atomic_store(&shared->total, (uint64_t)operations);
        } else TOGETHER({ atomic_fetch_add(cell(ADDED), 1); });
        if (atomic_load(cell(ADDED)) != atomic_load(&shared->total)) wrong("an addition is missing");
        return;
    }
    if (me == 0) {
        atomic_store(cell(0), 0);
        atomic_store(cell(PLACE), 0);
        atomic_store(cell(SENT), 0);
        atomic_store(cell(RECEIVED), 0);
    }
    if (strcmp(shape, "round_trip") == 0)
        ROUND_TRIPS({ memory_put(0, (uint64_t)message); memory_get(PLACE, (uint64_t)message); },
                    { memory_get(0, (uint64_t)message); memory_put(PLACE, (uint64_t)message); });
    else
        ONE_WAY(
            {
                if ((uint64_t)message - seen >= slots) {
                    while ((uint64_t)message - (seen = atomic_load_explicit(cell(RECEIVED), memory_order_acquire)) >= slots)
                        rest();
                }
                stamp((uint64_t)message);
                memcpy(memory + SLOTS + (uint64_t)message % slots * stride, sent, bytes);
                atomic_store_explicit(cell(SENT), (uint64_t)message + 1, memory_order_release);
            },
            {
                if ((uint64_t)message >= seen) {
                    while ((seen = atomic_load_explicit(cell(SENT), memory_order_acquire)) <= (uint64_t)message) rest();
                }
                memcpy(room, memory + SLOTS + (uint64_t)message % slots * stride, bytes);
                atomic_store_explicit(cell(RECEIVED), (uint64_t)message + 1, memory_order_release);
                check((uint64_t)message);
            });
}

/* Setting up: before the fork, and after it. */
static int ends[2][2];
static void (*loop)(long);

static int is(const char *name) { return strcmp(mechanism, name) == 0; }

static void make_mutex(int robust, int inherit, int kind) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&attributes, kind);
    if (robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (inherit) pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    if (pthread_mutex_init(&shared->mutex.mutex, &attributes)) wrong("pthread_mutex_init");
}

static void make_tcp(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    ends[0][0] = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(ends[0][0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(ends[0][0], (struct sockaddr *)&address, length) < 0) fail("connect");
    /* As the reference agent: what is accepted is as its listener is. */
    ends[0][1] = accept(listener, NULL, NULL);
    setsockopt(ends[0][1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(listener);
}

static void make_udp(void) {
    struct sockaddr_in address[2];
    socklen_t length = sizeof address[0];
    for (int side = 0; side < 2; side++) {
        address[side] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        ends[0][side] = socket(AF_INET, SOCK_DGRAM, 0);
        if (bind(ends[0][side], (struct sockaddr *)&address[side], length) < 0) fail("bind");
        getsockname(ends[0][side], (struct sockaddr *)&address[side], &length);
    }
    for (int side = 0; side < 2; side++)
        if (connect(ends[0][side], (struct sockaddr *)&address[!side], length) < 0) fail("connect");
}

static void two_pipes(int flags) {
    for (int way = 0; way < 2; way++)
        if (pipe2(ends[way], flags) < 0) fail("pipe2");
}

static void make_fifos(void) {
    for (int way = 0; way < 2; way++) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/plumbline-twin-%d-%d", (int)getpid(), way);
        if (mkfifo(path, 0600) < 0) fail("mkfifo");
        ends[way][0] = open(path, O_RDONLY | O_NONBLOCK);
        ends[way][1] = open(path, O_WRONLY);
        if (ends[way][0] < 0 || ends[way][1] < 0) fail("open");
        fcntl(ends[way][0], F_SETFL, 0);
        unlink(path);
    }
}

static void make_posix_queues(void) {
    for (int way = 0; way < 2; way++) {
        char name[64];
        snprintf(name, sizeof name, "/plumbline-twin-%d-%d", (int)getpid(), way);
        struct mq_attr attributes = { .mq_maxmsg = 10, .mq_msgsize = (long)bytes };
        queues[way] = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attributes);
        if (queues[way] < 0) fail("mq_open");
        mq_unlink(name);
    }
}

/* As many messages as our ring has room for. */
#ifdef PEER
static void make(void) {
    size_t capacity = (1 << 20) / bytes;
    if (capacity < 8) capacity = 8;
    if (capacity > 4096) capacity = 4096;
    int is_known = strncmp(shape, "round_trip", 10) == 0 || strncmp(shape, "one_way", 7) == 0;
    if (!is("shm_ring") || !is_known || !peer_make(bytes, capacity)) exit(3);
    loop = of_peer;
}
#else
static void make(void) {
    static const struct { const char *name; int kind; } pairs[] = {
        { "unix_stream", SOCK_STREAM }, { "unix_datagram", SOCK_DGRAM }, { "unix_seqpacket", SOCK_SEQPACKET } };
    for (size_t index = 0; index < sizeof pairs / sizeof *pairs; index++)
        if (is(pairs[index].name)) {
            if (socketpair(AF_UNIX, pairs[index].kind, 0, ends[0]) < 0) fail("socketpair");
            loop = pairs[index].kind == SOCK_STREAM ? of_stream : of_socket;
        }
    int taking = strcmp(shape, "take") == 0;
    if (is("pipe")) { two_pipes(0); loop = of_stream; }
    else if (is("fifo")) { make_fifos(); loop = of_stream; }
    else if (is("packet_pipe") && bytes <= PIPE_BUF) { two_pipes(O_DIRECT); loop = of_packets; }
    else if (is("tcp")) { make_tcp(); loop = of_stream; }
    else if (is("udp") && strcmp(shape, "round_trip") == 0) { make_udp(); loop = of_socket; }
    else if (is("posix_mq")) { make_posix_queues(); loop = of_posix_queue; }
    else if (is("sysv_msg")) {
        for (int way = 0; way < 2; way++) sysv[way] = msgget(IPC_PRIVATE, 0600);
        loop = of_sysv_queue;
    } else if (is("eventfd")) {
        for (int way = 0; way < 2; way++) events[way] = eventfd(taking ? 1 : 0, 0);
        loop = of_eventfd;
    } else if (is("posix_sem")) {
        for (int way = 0; way < 2; way++) {
            semaphores[way] = &shared->semaphore[way].semaphore;
            if (sem_init(semaphores[way], 1, taking ? 1 : 0) < 0) fail("sem_init");
        }
        loop = of_posix_semaphore;
    } else if (is("sysv_sem")) {
        for (int way = 0; way < 2; way++) {
            sets[way] = semget(IPC_PRIVATE, 1, 0600);
            if (taking) sysv_change(sets[way], 1);
        }
        loop = of_sysv_semaphore;
    } else if (is("pthread_mutex")) { make_mutex(0, 0, PTHREAD_MUTEX_NORMAL); loop = of_mutex; }
    else if (is("pthread_mutex_robust")) { make_mutex(1, 0, PTHREAD_MUTEX_NORMAL); loop = of_mutex; }
    else if (is("pthread_mutex_pi")) { make_mutex(0, 1, PTHREAD_MUTEX_NORMAL); loop = of_mutex; }
    else if (is("pthread_mutex_errorcheck")) { make_mutex(0, 0, PTHREAD_MUTEX_ERRORCHECK); loop = of_mutex; }
    else if (is("pthread_rwlock")) {
        pthread_rwlockattr_t attributes;
        pthread_rwlockattr_init(&attributes);
        pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        if (pthread_rwlock_init(&shared->rwlock.lock, &attributes)) wrong("pthread_rwlock_init");
        loop = of_rwlock;
    } else if (is("pthread_spinlock")) {
        pthread_spin_init(&shared->spinlock.lock, PTHREAD_PROCESS_SHARED);
        loop = of_spinlock;
    } else if (is("flock")) loop = of_flock;
    else if (is("record_lock")) loop = of_record_lock;
    else if (is("ofd_lock")) loop = of_ofd_lock;
    else if (is("futex")) loop = of_futex;
    else if (is("condvar")) {
        make_mutex(0, 0, PTHREAD_MUTEX_ERRORCHECK);
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        if (pthread_cond_init(&shared->condition.condition, &attributes)) wrong("pthread_cond_init");
        loop = of_condition;
    } else if (is("barrier")) {
        pthread_barrierattr_t attributes;
        pthread_barrierattr_init(&attributes);
        pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
        if (pthread_barrier_init(&shared->barrier.barrier, &attributes, 2)) wrong("pthread_barrier_init");
        loop = of_barrier;
    } else if (is("signal")) {
        if (strcmp(shape, "sigwait") == 0) loop = of_sigwait;
        else if (strcmp(shape, "sigqueue") == 0) loop = of_sigqueue;
        else if (strcmp(shape, "signalfd") == 0) loop = of_signalfd;
        else if (strcmp(shape, "handler") == 0) loop = of_handler;
        sigemptyset(&none);
        sigemptyset(&signals);
        sigaddset(&signals, SIGUSR1);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        if (loop == of_signalfd) signal_descriptor = signalfd(-1, &signals, 0);
        if (loop == of_handler) {
            struct sigaction action = { .sa_sigaction = note, .sa_flags = SA_SIGINFO };
            sigaction(SIGUSR1, &action, NULL);
        }
    } else if (is("memfd") || is("anonymous_memory")) {
        size_t slot = (bytes + LINE - 1) / LINE * LINE + LINE, slots = (1 << 20) / slot;
        if (slots < 8) slots = 8;
        if (slots > 4096) slots = 4096;
        memory_bytes = SLOTS + slots * slot;
        int object = is("memfd") ? memfd_create("twin", 0) : -1;
        if (object >= 0 && ftruncate(object, (off_t)memory_bytes) < 0) fail("ftruncate");
        memory = mmap(NULL, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | (object < 0 ? MAP_ANONYMOUS : 0), object, 0);
        if (memory == MAP_FAILED) fail("mmap");
        loop = of_memory;
    }
    if (!loop || (strcmp(shape, "take_shared") == 0) || strncmp(shape, "open_loop", 9) == 0) exit(3);
}
#endif

/* What a party does for itself after the fork: it keeps the ends that it uses. */
static void take_up(void) {
    if (is("pipe") || is("fifo") || is("packet_pipe")) {
        out = ends[me][1];
        in = ends[strcmp(shape, "one_way") == 0 ? 0 : !me][0];
        close(ends[!me][1]);
        if (strcmp(shape, "one_way") == 0 && me == 0) close(ends[0][0]);
        else close(ends[me][0] == in ? ends[!me][0] : ends[me][0]);
    } else if (loop == of_stream || loop == of_socket) {
        out = in = ends[0][me];
        close(ends[0][!me]);
    }
    if (loop == of_flock || loop == of_record_lock || loop == of_ofd_lock) {
        char path[64];
        snprintf(path, sizeof path, "/tmp/plumbline-twin-%d", (int)pids[0]);
        file = open(path, O_RDWR | O_CREAT, 0600);
        if (file < 0) fail("open");
        meet();
        if (me == 0) unlink(path);
    }
    boxes[0] = calloc(1, sizeof(long) + bytes + 8);
    boxes[1] = calloc(1, sizeof(long) + bytes + 8);
    *boxes[0] = 1;
    int boxed = loop == of_sysv_queue;
    /* A copy from or to the middle of a line of the cache takes up to a tenth longer. */
    size_t whole_lines = (bytes + 8 + 63) / 64 * 64;
    sent = boxed ? (unsigned char *)(boxes[0] + 1) : aligned_alloc(64, whole_lines);
    room = boxed ? (unsigned char *)(boxes[1] + 1) : aligned_alloc(64, whole_lines);
    memset(sent, 0xa5, bytes);
    memset(room, 0xa5, bytes);
    lengths_max = 1 << 20;
    lengths = malloc((size_t)lengths_max * sizeof *lengths);
    memset(lengths, 0, (size_t)lengths_max * sizeof *lengths);
#ifdef PEER
    peer_take_up(me);
#endif
}

static void bind_to(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) fail("sched_setaffinity");
}

/* Keeps processors awake, at the lowest priority, until the program ends. */
static void keep_awake(void) {
    for (int place = 0; place < processor_count; place++)
        if (fork() == 0) {
            struct sched_param parameters = { 0 };
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            bind_to(processors[place]);
            sched_setscheduler(0, SCHED_IDLE, &parameters);
            setpriority(PRIO_PROCESS, 0, 19);
            for (;;) __builtin_ia32_pause();
        }
}

static double elapsed(void) {
    uint64_t span = 0;
    for (int party = 0; party < (strcmp(shape, "take") == 0 ? parties : 1); party++)
        if (shared->told[party].ended - shared->told[party].began > span)
            span = shared->told[party].ended - shared->told[party].began;
    return (double)span;
}

static long operations_in(double time, double pace) {
    double operations = time / (pace > 0.1 ? pace : 0.1);
    if (operations < 16) return 16;
    if (strcmp(shape, "take") && strncmp(shape, "one_way", 7) && operations > (double)(1 << 20)) return 1 << 20;
    return operations > 5e7 ? 50000000 : (long)operations;
}

/* What the first party does: it decides how often, and all do it. */
static double lead(double sample_ns) {
    double before = 0, spent = 0;
    long operations = 16;
    for (;;) {
        atomic_store(&shared->operations, operations);
        meet();
        loop(operations);
        double took = elapsed(), pace = took / (double)operations;
        spent += took;
        int steady = before > 0 && pace / before > 1 - STEADY_WITHIN && pace / before < 1 + STEADY_WITHIN;
        if (steady || spent > WARM_UP_MAX_NS) { before = pace; break; }
        long next = operations_in(BATCH_NS, pace);
        before = operations * 2 >= next ? pace : 0;
        operations = next;
    }
    operations = operations_in(sample_ns, before);
    atomic_store(&shared->operations, operations);
    meet();
    loop(operations);
    double cost = shared->told[0].cost;
    atomic_store(&shared->operations, -1);
    meet();
    return cost;
}

static void follow(void) {
    for (;;) {
        meet();
        long operations = atomic_load(&shared->operations);
        if (operations < 0) return;
        loop(operations);
    }
}

int main(int argc, char **argv) {
    if (argc < 3 || sscanf(argv[1], "%63[^/]/%31[^/]/%ld/%31s", mechanism, shape, &number, placement) != 4) return 2;
    double sample_ns = atof(argv[2]);
    /* A message that never comes must not hold up the bench: the others die with this process. */
    alarm(PATIENCE_S);
    int taking = strcmp(shape, "take") == 0 || strcmp(shape, "take_shared") == 0;
    parties = taking ? (int)number : 2;
    bytes = taking ? 0 : (size_t)number;
    if (parties > PARTIES_MAX) return 3;
    for (int place = 3; place < argc && processor_count < PARTIES_MAX; place++) processors[processor_count++] = atoi(argv[place]);
    crowded = processor_count > 0 && processor_count < parties;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) fail("mmap");
    uint64_t looks[CLOCK_LOOKS];
    for (int look = 0; look < CLOCK_LOOKS; look++) {
        uint64_t first = now();
        looks[look] = now() - first;
    }
    clock_ns = middle(looks, CLOCK_LOOKS);
    make();
    if (strcmp(placement, "two_awake") == 0) keep_awake();
    pids[0] = getpid();
    for (int party = 1; party < parties; party++) {
        pids[party] = fork();
        if (pids[party] < 0) fail("fork");
        if (pids[party] == 0) {
            me = party;
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            break;
        }
    }
    /* All know one another: signals are sent to process ids. */
    if (parties > 1 && me == 1) pids[1] = getpid();
    if (processor_count > 0) bind_to(processors[me % processor_count]);
    take_up();
    if (me > 0) {
        follow();
#ifdef PEER
        peer_end();
#endif
        _exit(0);
    }
    printf("%.3f\n", lead(sample_ns));
    fflush(stdout);
#ifdef PEER
    peer_end();
#endif
    clean_up();
    return 0;
}

/* rigtorp's SPSCQueue in shared memory, for ../c/twins.c. Its header is not part of this repository: the bench is told where it is.
 *
 * A message is a value of a type of its size, which is copied in and out, as the queue is meant to be used; or it is made where it lies, and
 * looked at there. The queue and its slots lie in pages that the fork shares; nothing in them is destroyed. */
#include "peer.h"

#include <SPSCQueue.h>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <sys/mman.h>

namespace {

void *pages(size_t bytes) {
    void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(1);
    }
    return memory;
}

template <typename T> struct Shared {
    using value_type = T;
    T *allocate(size_t count) { return static_cast<T *>(pages(count * sizeof(T))); }
    void deallocate(T *, size_t) {}
};

/* How a message is made where it lies. */
struct OfNumber { uint64_t number; };
struct Filled { uint64_t number; };

template <size_t Bytes> struct Message {
    unsigned char bytes[Bytes];

    Message(const Message &) = default;
    /* But for the number the bytes stay what they were. */
    explicit Message(OfNumber of) { std::memcpy(bytes, &of.number, Bytes < 8 ? Bytes : 8); }
    explicit Message(Filled with) {
        for (size_t place = 0; place + 8 <= Bytes; place += 8) std::memcpy(bytes + place, &with.number, 8);
    }

    uint64_t number() const {
        uint64_t number = 0;
        std::memcpy(&number, bytes, Bytes < 8 ? Bytes : 8);
        return number;
    }
    uint64_t differences(uint64_t number) const {
        uint64_t all = 0;
        for (size_t place = 0; place + 8 <= Bytes; place += 8) {
            uint64_t found;
            std::memcpy(&found, bytes + place, 8);
            all |= found ^ number;
        }
        return all;
    }
};

template <size_t Bytes> struct Queue {
    using Ring = rigtorp::SPSCQueue<Message<Bytes>, Shared<Message<Bytes>>>;
    static inline Ring *ring[2];

    static void make(size_t capacity) {
        for (Ring *&each : ring) each = new (pages(sizeof(Ring))) Ring(capacity);
    }
    static void push(int queue, const unsigned char *message) {
        // The bytes are those of a value, which need not be copied once more to be one.
        ring[queue]->push(*reinterpret_cast<const Message<Bytes> *>(message));
    }
    static Message<Bytes> *front(int queue) {
        Message<Bytes> *front;
        while (!(front = ring[queue]->front()))
            ;
        return front;
    }
    static void pop(int queue, unsigned char *message) {
        std::memcpy(message, front(queue)->bytes, Bytes);
        ring[queue]->pop();
    }
    static void push_in_place(int queue, uint64_t number) { ring[queue]->emplace(OfNumber{number}); }
    static void pop_in_place(int queue, uint64_t *number) {
        *number = front(queue)->number();
        ring[queue]->pop();
    }
    static void push_filled(int queue, uint64_t number) { ring[queue]->emplace(Filled{number}); }
    static void pop_filled(int queue, uint64_t *number) {
        *number ^= front(queue)->differences(*number);
        ring[queue]->pop();
    }
};

size_t size;

} // namespace

/* Sizes are known when it is compiled, as they are to users of the queue. */
#define EACH(DO) \
    switch (size) { \
    case 1: Queue<1>::DO; return; \
    case 64: Queue<64>::DO; return; \
    case 1024: Queue<1024>::DO; return; \
    case 4096: Queue<4096>::DO; return; \
    case 16384: Queue<16384>::DO; return; \
    case 65536: Queue<65536>::DO; return; \
    default: std::exit(1); \
    }

static void make(size_t capacity) { EACH(make(capacity)) }

extern "C" int peer_make(size_t bytes, size_t capacity) {
    switch (bytes) {
    case 1: case 64: case 1024: case 4096: case 16384: case 65536: break;
    default: return 0;
    }
    size = bytes;
    make(capacity);
    return 1;
}

extern "C" void peer_take_up(int) {}
extern "C" void peer_end(void) {}
extern "C" void peer_push(int queue, const unsigned char *message) { EACH(push(queue, message)) }
extern "C" void peer_pop(int queue, unsigned char *message) { EACH(pop(queue, message)) }
extern "C" void peer_push_in_place(int queue, uint64_t number) { EACH(push_in_place(queue, number)) }
extern "C" void peer_push_filled(int queue, uint64_t number) { EACH(push_filled(queue, number)) }

static void pop_in_place(int queue, uint64_t *number) { EACH(pop_in_place(queue, number)) }
static void pop_filled(int queue, uint64_t *number) { EACH(pop_filled(queue, number)) }

extern "C" uint64_t peer_pop_in_place(int queue) {
    uint64_t number;
    pop_in_place(queue, &number);
    return number;
}

extern "C" uint64_t peer_pop_filled(int queue, uint64_t number) {
    pop_filled(queue, &number);
    return number;
}

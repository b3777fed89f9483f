/* What a queue of somebody else offers, to be measured by the loops of ../c/twins.c in place of ours: two queues, one each way, of one sender and
 * one receiver. Both calls wait until they can be done. */
#ifndef PLUMBLINE_PEER_H
#define PLUMBLINE_PEER_H
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Before the fork. Messages have `bytes` bytes, and each queue holds `capacity` of them. Returns 0 where it has no queue of such messages. */
int peer_make(size_t bytes, size_t capacity);

/* After the fork, in each party: `me` sends on queue `me` and receives from the other. */
void peer_take_up(int me);

void peer_push(int queue, const unsigned char *message);
void peer_pop(int queue, unsigned char *message);

/* The same without a copy, where messages lie: only their number is written, and looked at. */
void peer_push_in_place(int queue, uint64_t number);
uint64_t peer_pop_in_place(int queue);

/* The same without a copy, every eight bytes of a message: each is the number. Returns the number, or another where not all of them are. */
void peer_push_filled(int queue, uint64_t number);
uint64_t peer_pop_filled(int queue, uint64_t number);

/* Lets go of everything, in each party. */
void peer_end(void);

#ifdef __cplusplus
}
#endif
#endif

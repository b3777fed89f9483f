/* The least a scenario can cost: so many times, forks as many processes as a scenario has, and waits for each.
 * Arguments: rounds, processes. Prints the nanoseconds of all rounds together. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    long rounds = atol(argv[1]);
    int processes = atoi(argv[2]);
    struct timespec start, end;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (long round = 0; round < rounds; round++) {
        for (int process = 0; process < processes; process++) {
            pid_t pid = fork();
            if (pid < 0)
                return 1;
            if (pid == 0)
                _exit(0);
        }
        for (int process = 0; process < processes; process++)
            if (wait(NULL) < 0)
                return 1;
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    printf("%lld\n", (end.tv_sec - start.tv_sec) * 1000000000LL + (end.tv_nsec - start.tv_nsec));
    return 0;
}

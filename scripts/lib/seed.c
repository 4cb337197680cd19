/*
 * Stands in for the system's random numbers while instructions are counted: preloaded, it seeds every
 * hash map alike, so that two runs collide in the same places and count the same to the last digit.
 */
#include <string.h>
#include <sys/types.h>

ssize_t getrandom(void *buffer, size_t length, unsigned flags) {
    (void)flags;
    memset(buffer, 7, length);
    return (ssize_t)length;
}

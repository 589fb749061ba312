/* Names for code addresses, from the table that the build puts into the image. */
#ifndef KERNEL_SYMBOLS_H
#define KERNEL_SYMBOLS_H

#include <stdint.h>

/* The function that holds the address and how far into it; NULL outside our code. */
const char *symbols_find(uint32_t address, uint32_t *offset);

#endif

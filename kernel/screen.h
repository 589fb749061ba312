/* The VGA text screen: 80 by 25. As our own it is white on black and scrolls; or somebody shows on
 * it what he likes, cell by cell, and what we write later goes to its last line. */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <stdint.h>

void screen_clear(void);
void screen_write(char c);

/* Cells of characters and colours, counted from the upper left corner. */
void screen_show(uint32_t first, const uint16_t *cells, uint32_t count);
/* At a cell; behind the last one it is not to be seen. */
void screen_place_cursor(uint32_t at);

#endif

/* The VGA text screen: 80 by 25, white on black, scrolling. */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

void screen_clear(void);
void screen_write(char c);

#endif

/* A VGA as far as text goes: its registers, and what of its memory is to be seen.
 *
 * All registers of the colour adapter can be written and read back, with the flip-flop of the
 * attribute controller, the write protection of the CRT controller and the indices of the palette.
 * What they say is heeded for one thing only, the text screen: where it starts, how wide it is and
 * where the cursor stands (vga_view). Text memory is plain memory that the guest and whoever
 * shows it share; the chip does not know where it is. There are no graphics modes, no fonts and no
 * planes. The retrace bits follow the time as a screen with 70 pictures a second does. */
#ifndef MONITOR_DEVICES_VGA_H
#define MONITOR_DEVICES_VGA_H

#include <stdbool.h>
#include <stdint.h>

#define VGA_PORT      0x3C0
#define VGA_PORTS     0x10
#define VGA_CRTC_PORT 0x3D4
#define VGA_STATUS    0x3DA

#define VGA_TEXT       0xB8000u /* in the guest's memory */
#define VGA_TEXT_SIZE  0x8000u
#define VGA_TEXT_CELLS (VGA_TEXT_SIZE / 2)
#define VGA_BLANK      0x0720 /* a space, grey on black */

enum {
	VGA_ATTRIBUTE_REGISTERS = 0x15,
	VGA_SEQUENCER_REGISTERS = 5,
	VGA_GRAPHICS_REGISTERS = 9,
	VGA_CRTC_REGISTERS = 0x19,
	VGA_COLOURS = 256,
};

struct vga {
	uint8_t attribute[VGA_ATTRIBUTE_REGISTERS], attribute_index;
	bool attribute_data_next; /* the next write to 3C0 is data */
	uint8_t sequencer[VGA_SEQUENCER_REGISTERS], sequencer_index;
	uint8_t graphics[VGA_GRAPHICS_REGISTERS], graphics_index;
	uint8_t crtc[VGA_CRTC_REGISTERS], crtc_index;
	uint8_t miscellaneous, feature;
	uint8_t palette[VGA_COLOURS][3], palette_mask;
	uint8_t palette_index, palette_part;
	bool palette_reads;
};

/* What is on the screen; cells count from the start of text memory. */
struct vga_view {
	uint16_t start, columns, cursor;
	bool is_text, has_cursor;
};

/* As firmware leaves it: 80 by 25 characters in 16 colours. */
void vga_reset(struct vga *vga);

struct vga_view vga_view(const struct vga *vga);

uint32_t vga_read(void *vga, uint64_t now, uint16_t port, unsigned size);
void vga_write(void *vga, uint64_t now, uint16_t port, unsigned size, uint32_t value);

#endif

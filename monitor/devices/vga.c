#include "monitor/devices/vga.h"

#include "kernel/divide.h"

enum {
	ATTRIBUTE = 0x3C0,
	ATTRIBUTE_READ = 0x3C1,
	MISCELLANEOUS = 0x3C2, /* written; read, it is input status 0 */
	SEQUENCER_INDEX = 0x3C4,
	SEQUENCER = 0x3C5,
	PALETTE_MASK = 0x3C6,
	PALETTE_READ_INDEX = 0x3C7,
	PALETTE_WRITE_INDEX = 0x3C8,
	PALETTE = 0x3C9,
	FEATURE_READ = 0x3CA,
	MISCELLANEOUS_READ = 0x3CC,
	GRAPHICS_INDEX = 0x3CE,
	GRAPHICS = 0x3CF,
	CRTC_DATA = VGA_CRTC_PORT + 1,
};

enum {
	ATTRIBUTE_INDEX = 0x1F,
	ATTRIBUTE_INDEX_WRITABLE = 0x3F, /* with the bit that lets the palette be seen */
	CRTC_COLUMNS = 0x01,
	CRTC_OVERFLOW = 0x07,
	CRTC_OVERFLOW_UNPROTECTED = 0x10, /* bit 8 of the line compare */
	CRTC_CURSOR_START = 0x0A,
	CRTC_CURSOR_OFF = 0x20,
	CRTC_START_HIGH = 0x0C,
	CRTC_CURSOR_HIGH = 0x0E,
	CRTC_RETRACE_END = 0x11,
	CRTC_PROTECTED = 0x80,
	GRAPHICS_MODE = 6,
	GRAPHICS_MODE_ON = 1,
	COLOUR_BITS = 0x3F,
	STATE_READS = 3,
	STATUS_BLANK = 0x01,
	STATUS_RETRACE = 0x08,
	SWITCH_SENSE = 0x10,
};

/* 449 lines of 31.78 us are a picture, 400 of them to be seen, retrace is in lines 412 and 413. */
enum {
	LINE_NANOSECONDS = 31778,
	LINE_SHOWN = 25422,
	LINES = 449,
	LINES_SHOWN = 400,
	RETRACE_FIRST = 412,
	RETRACE_LAST = 413
};

static const struct vga text_mode = {
        .attribute = {0,    1,    2,    3,    4,    5,    0x14, 7,    0x38, 0x39, 0x3A,
                      0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0,    0x0F, 8,    0},
        .attribute_index = 0x20,
        .sequencer = {3, 0, 3, 0, 2},
        .graphics = {0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF},
        .crtc = {0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0,    0x4F, 0x0D, 0x0E, 0,
                 0,    0,    0,    0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF},
        .miscellaneous = 0x67,
        .palette_mask = 0xFF,
};

/* The 64 colours of an EGA: two bits each of red, green and blue, the stronger one lower. */
static void fill_palette(struct vga *vga)
{
	for (unsigned i = 0; i < 64; i++)
		for (unsigned part = 0; part < 3; part++)
			vga->palette[i][part] = (uint8_t)((i >> (2 - part) & 1) * 0x2A +
			                                  (i >> (5 - part) & 1) * 0x15);
}

void vga_reset(struct vga *vga)
{
	*vga = text_mode;
	fill_palette(vga);
}

struct vga_view vga_view(const struct vga *vga)
{
	const uint8_t *crtc = vga->crtc;

	return (struct vga_view){
	        .start = (uint16_t)((crtc[CRTC_START_HIGH] << 8 | crtc[CRTC_START_HIGH + 1]) %
	                            VGA_TEXT_CELLS),
	        .columns = (uint16_t)(crtc[CRTC_COLUMNS] + 1),
	        .cursor = (uint16_t)((crtc[CRTC_CURSOR_HIGH] << 8 | crtc[CRTC_CURSOR_HIGH + 1]) %
	                             VGA_TEXT_CELLS),
	        .is_text = !(vga->graphics[GRAPHICS_MODE] & GRAPHICS_MODE_ON),
	        .has_cursor = !(crtc[CRTC_CURSOR_START] & CRTC_CURSOR_OFF),
	};
}

/* A register that an index names, or nothing: those that do not exist read as 0. */
static uint8_t read_indexed(const uint8_t *registers, unsigned count, uint8_t index)
{
	return index < count ? registers[index] : 0;
}

static void write_indexed(uint8_t *registers, unsigned count, uint8_t index, uint8_t value)
{
	if (index < count)
		registers[index] = value;
}

static uint8_t read_palette(struct vga *vga)
{
	uint8_t value = vga->palette[vga->palette_index][vga->palette_part];

	if (++vga->palette_part == 3) {
		vga->palette_part = 0;
		vga->palette_index++;
	}
	return value;
}

static void write_palette(struct vga *vga, uint8_t value)
{
	vga->palette[vga->palette_index][vga->palette_part] = value & COLOUR_BITS;
	if (++vga->palette_part == 3) {
		vga->palette_part = 0;
		vga->palette_index++;
	}
}

static void select_colour(struct vga *vga, uint8_t index, bool to_read)
{
	vga->palette_index = index;
	vga->palette_part = 0;
	vga->palette_reads = to_read;
}

/* Reading it also makes the next write to the attribute controller an index. */
static uint8_t read_status(struct vga *vga, uint64_t now)
{
	uint32_t in_line, line;

	vga->attribute_data_next = false;
	divide_by_word(divide_by_word(now, LINE_NANOSECONDS, &in_line), LINES, &line);
	if (line >= RETRACE_FIRST && line <= RETRACE_LAST)
		return STATUS_BLANK | STATUS_RETRACE;
	return line >= LINES_SHOWN || in_line >= LINE_SHOWN ? STATUS_BLANK : 0;
}

uint32_t vga_read(void *chip, uint64_t now, uint16_t port, unsigned size)
{
	struct vga *vga = chip;

	(void)size;
	switch (port) {
	case ATTRIBUTE:
		return vga->attribute_index;
	case ATTRIBUTE_READ:
		return read_indexed(vga->attribute, VGA_ATTRIBUTE_REGISTERS,
		                    vga->attribute_index & ATTRIBUTE_INDEX);
	case MISCELLANEOUS:
		return SWITCH_SENSE;
	case SEQUENCER_INDEX:
		return vga->sequencer_index;
	case SEQUENCER:
		return read_indexed(vga->sequencer, VGA_SEQUENCER_REGISTERS, vga->sequencer_index);
	case PALETTE_MASK:
		return vga->palette_mask;
	case PALETTE_READ_INDEX:
		return vga->palette_reads ? STATE_READS : 0;
	case PALETTE_WRITE_INDEX:
		return vga->palette_index;
	case PALETTE:
		return read_palette(vga);
	case FEATURE_READ:
		return vga->feature;
	case MISCELLANEOUS_READ:
		return vga->miscellaneous;
	case GRAPHICS_INDEX:
		return vga->graphics_index;
	case GRAPHICS:
		return read_indexed(vga->graphics, VGA_GRAPHICS_REGISTERS, vga->graphics_index);
	case VGA_CRTC_PORT:
		return vga->crtc_index;
	case CRTC_DATA:
		return read_indexed(vga->crtc, VGA_CRTC_REGISTERS, vga->crtc_index);
	case VGA_STATUS:
		return read_status(vga, now);
	default:
		return 0xFF;
	}
}

static void write_attribute(struct vga *vga, uint8_t value)
{
	if (vga->attribute_data_next)
		write_indexed(vga->attribute, VGA_ATTRIBUTE_REGISTERS,
		              vga->attribute_index & ATTRIBUTE_INDEX, value);
	else
		vga->attribute_index = value & ATTRIBUTE_INDEX_WRITABLE;
	vga->attribute_data_next = !vga->attribute_data_next;
}

static void write_crtc(struct vga *vga, uint8_t value)
{
	bool is_protected = vga->crtc[CRTC_RETRACE_END] & CRTC_PROTECTED;

	if (!is_protected || vga->crtc_index > CRTC_OVERFLOW)
		write_indexed(vga->crtc, VGA_CRTC_REGISTERS, vga->crtc_index, value);
	else if (vga->crtc_index == CRTC_OVERFLOW)
		vga->crtc[CRTC_OVERFLOW] =
		        (vga->crtc[CRTC_OVERFLOW] & (uint8_t)~CRTC_OVERFLOW_UNPROTECTED) |
		        (value & CRTC_OVERFLOW_UNPROTECTED);
}

void vga_write(void *chip, uint64_t now, uint16_t port, unsigned size, uint32_t wide)
{
	struct vga *vga = chip;
	uint8_t value = (uint8_t)wide;

	(void)now;
	(void)size;
	switch (port) {
	case ATTRIBUTE:
		write_attribute(vga, value);
		break;
	case MISCELLANEOUS:
		vga->miscellaneous = value;
		break;
	case SEQUENCER_INDEX:
		vga->sequencer_index = value;
		break;
	case SEQUENCER:
		write_indexed(vga->sequencer, VGA_SEQUENCER_REGISTERS, vga->sequencer_index, value);
		break;
	case PALETTE_MASK:
		vga->palette_mask = value;
		break;
	case PALETTE_READ_INDEX:
	case PALETTE_WRITE_INDEX:
		select_colour(vga, value, port == PALETTE_READ_INDEX);
		break;
	case PALETTE:
		write_palette(vga, value);
		break;
	case GRAPHICS_INDEX:
		vga->graphics_index = value;
		break;
	case GRAPHICS:
		write_indexed(vga->graphics, VGA_GRAPHICS_REGISTERS, vga->graphics_index, value);
		break;
	case VGA_CRTC_PORT:
		vga->crtc_index = value;
		break;
	case CRTC_DATA:
		write_crtc(vga, value);
		break;
	case VGA_STATUS:
		vga->feature = value;
		break;
	default:
		break; /* the ports of status and version registers take nothing */
	}
}

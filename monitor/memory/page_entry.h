/* The bits of a page-table entry, as the manual numbers them: the guest's and, since the shadow is
 * made for the same kind of processor, the shadow's. */
#ifndef MONITOR_MEMORY_PAGE_ENTRY_H
#define MONITOR_MEMORY_PAGE_ENTRY_H

#define ENTRY_PRESENT  (1u << 0)
#define ENTRY_WRITABLE (1u << 1)
#define ENTRY_USER     (1u << 2)
#define ENTRY_ACCESSED (1u << 5)
#define ENTRY_DIRTY    (1u << 6)
#define ENTRY_LARGE    (1u << 7)
#define ENTRY_GLOBAL   (1u << 8)
#define ENTRY_NX       (1ull << 63)

#endif

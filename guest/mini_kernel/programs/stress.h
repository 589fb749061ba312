/*
 * Everything at once, round after round: fork, faults, copies, maps, upcalls, ends.
 * The checksum does not depend on who ran when, and no page frame may be missing at the end.
 */
#pragma once

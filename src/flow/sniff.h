/*
 * sniff - what the first and last bytes of a file tell, without parsing it (private to flow)
 *
 * Errors:  none: what cannot be read fits nothing, and is complete (whoever reads it says what is wrong).
 * Limits:  looks at 4 KiB at each end.
 */
#ifndef WAYBILL_FLOW_SNIFF_H
#define WAYBILL_FLOW_SNIFF_H

#include <stdbool.h>
#include <stdint.h>

#include "format/format.h"

/* Whether the file's last bytes are those of a whole document: the root's end tag, a closing bracket, a line end. */
bool sniff_complete(int fd, uint64_t size, const struct format *f);
/* Whether the head fits the format: syntax and, of xml, root element.  `type` (n 0 = none) is the root's local name, of
   csv the title of its first column. */
bool sniff_type(int fd, const struct format *f, struct slice type);

#endif

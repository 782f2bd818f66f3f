/*
 * func_run (private) - the functions themselves; func.c holds their table
 *
 * Each evaluates its own arguments: if() only the one that is needed.
 */
#ifndef WAYBILL_MAPPING_FUNC_RUN_H
#define WAYBILL_MAPPING_FUNC_RUN_H

#include "run.h"

struct slice arg_text(struct run *r, const struct expr *e, size_t i, const struct node *here);
struct slice built(struct run *r, struct buf *b);
/* Is there room for a text of n bytes more in this message?  If not, that is the fault LIMIT_TEXT. */
bool text_room(struct run *r, const struct expr *e, size_t n);
struct slice letters_of(struct arena *a, uint64_t n);

#define FUNC(name) void fn_##name(struct run *r, const struct expr *e, const struct node *here, struct val *out);
FUNC(concat)
FUNC(join)
FUNC(substring)
FUNC(substring_before)
FUNC(substring_after)
FUNC(length)
FUNC(trim)
FUNC(normalize_space)
FUNC(upper)
FUNC(lower)
FUNC(fold)
FUNC(replace)
FUNC(translate)
FUNC(digits)
FUNC(natural)
FUNC(pad_left)
FUNC(pad_right)
FUNC(contains)
FUNC(starts_with)
FUNC(ends_with)
FUNC(letters)
FUNC(text)
FUNC(raw)
FUNC(number)
FUNC(round)
FUNC(round_even)
FUNC(floor)
FUNC(ceiling)
FUNC(abs)
FUNC(min)
FUNC(max)
FUNC(count)
FUNC(sum)
FUNC(position)
FUNC(last)
FUNC(exists)
FUNC(date)
FUNC(time)
FUNC(datetime)
FUNC(add_days)
FUNC(days_between)
FUNC(batch_time)
FUNC(not)
FUNC(true)
FUNC(false)
FUNC(if)
FUNC(next)
FUNC(attachment)
FUNC(batch_id)
FUNC(file_name)
FUNC(message_number)
#undef FUNC

#endif

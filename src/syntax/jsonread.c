#include "jsonread.h"

#include "base/json.h"
#include "jsontext.h"

enum { ROOM = 8192 };                   /* bytes of the message arena taken at a time for texts */

static struct slice keep(struct jread *x, struct slice text)
{
    if (text.n == 0)
        return SLICE("");
    if (text.n > (size_t)(x->room_end - x->room)) {
        if (text.n > ROOM / 4)
            return arena_copy(x->message_arena, text);
        x->room = arena_alloc(x->message_arena, ROOM);
        x->room_end = x->room + ROOM;
    }
    char *p = x->room;
    memcpy(p, text.p, text.n);
    x->room += text.n;
    return (struct slice){ p, text.n };
}

/* Members of the file stay when a message that stands around them goes. */
static bool outside(const struct group *g)
{
    while (g && !g->is_message)
        g = g->parent;
    return g == NULL;
}

static void problem(struct reader *r, const struct node *n, const struct field *f, const char *code, uint64_t at,
                    struct slice value, struct slice text, struct slice hint, struct problems *ps)
{
    struct jread *x = r->state;

    problem_add(ps, &(struct problem){ .severity = PROBLEM_ERROR,
                                       .code = code,
                                       .value = value,
                                       .text = text,
                                       .hint = hint,
                                       .place = { .file = r->source->name, .offset = at,
                                                  .width = value.n && value.n < 200 ? (uint32_t)slice_chars(value)
                                                          : 1 },
                                       .message = x->message ? r->messages : 0,
                                       .path = node_path(&x->scratch, n, f) });
    arena_reset(&x->scratch);
    if (x->message)
        x->status = SKIP;
    else
        x->file_bad = true;
}

/* ---- values ---- */

/* A number without quotes has a point and may have an exponent, whatever the field's spelling is elsewhere. */
static struct slice plain_number(const struct field *f, struct slice lexeme, struct arena *a)
{
    struct buf b = { 0 };

    if (memchr(lexeme.p, 'e', lexeme.n) || memchr(lexeme.p, 'E', lexeme.n)) {
        if (jtext_expand(lexeme, &b))
            lexeme = arena_copy(a, buf_slice(&b));
        buf_release(&b);
    }
    const char *point = f->mark.n && !memchr(f->mark.p, '.', f->mark.n) ? memchr(lexeme.p, '.', lexeme.n) : NULL;
    if (point) {
        char *own = (char *)(uintptr_t)arena_copy(a, lexeme).p;
        own[point - lexeme.p] = f->mark.p[0];
        lexeme.p = own;
    }
    return lexeme;
}

int jread_value(const struct field *f, enum jevent event, struct slice text, struct arena *a, struct value *v,
                struct fault *fault)
{
    if (event == JEVENT_NULL) {
        v->p = "";
        v->n = 0;
        v->state = VALUE_EMPTY;
        return OK;
    }
    if (f->type == TYPE_BOOLEAN && (event == JEVENT_TRUE || event == JEVENT_FALSE)) {
        struct slice word = event == JEVENT_TRUE ? SLICE("true") : SLICE("false");
        v->p = word.p;
        v->n = (uint32_t)word.n;
        v->state = VALUE_PRESENT;
        return OK;
    }
    if (event == JEVENT_NUMBER && (f->type == TYPE_DECIMAL || f->type == TYPE_INTEGER))
        text = plain_number(f, text, a);
    return type_read(f, text, a, v, fault);
}

static void set_value(struct reader *r, struct node *n, const struct field *f, bool element, struct problems *ps)
{
    struct jread *x = r->state;
    const struct jscan *s = &x->scan;
    struct value *v = node_value(n, f);
    struct fault fault = { 0 };

    if (v->state != VALUE_ABSENT) {
        problem(r, n, f, "OCCURS", s->at, slice_none(), SLICE("stands more than once"), SLICE("one is allowed here"),
                ps);
        return;
    }
    v->at = s->at;
    v->len = (uint32_t)(s->end - s->at);
    v->lead = element ? 0 : (uint32_t)(s->at - x->key_at);
    v->form = s->event == JEVENT_STRING ? VALUE_QUOTED : s->event == JEVENT_NULL ? VALUE_NIL : 0;
    struct arena *a = outside(n->group) ? r->arena : x->message_arena;
    struct slice text = a == r->arena ? arena_copy(a, s->text) : keep(x, s->text);
    if (s->event == JEVENT_STRING && type_read_fast(f, text, v))
        return;
    if (jread_value(f, s->event, text, a, v, &fault) == OK)
        return;
    problem(r, n, f, fault.code, v->at + (s->event == JEVENT_STRING), text, fault.text, fault.hint, ps);
    v->form |= VALUE_LAX;                       /* so that it does not count as missing too */
}

static void set_key(struct reader *r, struct node *n, const struct field *f, struct problems *ps)
{
    struct jread *x = r->state;
    struct value *v = node_value(n, f);
    struct fault fault = { 0 };
    struct arena *a = outside(n->group) ? r->arena : x->message_arena;
    struct slice text = a == r->arena ? arena_copy(a, buf_slice(&x->key)) : keep(x, buf_slice(&x->key));

    v->at = x->key_at;
    v->len = (uint32_t)(x->key_end - x->key_at);
    v->form = VALUE_QUOTED | VALUE_ATTRIBUTE;
    if (type_read(f, text, a, v, &fault) == OK)
        return;
    problem(r, n, f, fault.code, v->at + 1, text, fault.text, fault.hint, ps);
    v->form |= VALUE_LAX;
}

/* ---- instances ---- */

static void begin_message(struct reader *r, struct arena *a, const struct group *g, struct problems *ps)
{
    struct jread *x = r->state;

    x->message_arena = a;
    x->room = x->room_end = NULL;
    x->message = node_new(a, g, r->file);
    x->status = OK;
    x->drop = false;
    r->messages++;
    ps->message = r->messages;
    x->message->position = (uint32_t)r->messages;
}

static bool of_file(const struct reader *r, const struct group *g)
{
    return g == r->format->file_group;
}

/* The instance that a member of a group belongs to; notes whose members this document holds. */
static struct node *owner_of(struct reader *r, const struct group *g, struct node *around)
{
    struct jread *x = r->state;

    if (of_file(r, g)) {
        x->file_seen = true;
        return r->file;
    }
    x->message_seen = true;
    return around;
}

/* An instance begins with the value at hand; NULL when it is one too many (then the value is skipped). */
static struct node *begin_group(struct reader *r, struct arena *a, const struct jspot *spot, struct node *around,
                                bool element, struct problems *ps)
{
    struct jread *x = r->state;
    const struct group *g = spot->group;
    struct node *n;

    if (g->is_message) {
        begin_message(r, a, g, ps);
        n = x->message;
    } else {
        around = owner_of(r, g->parent, around);
        if (node_list(around, g)->n >= g->max_occurs && g->max_occurs == 1) {
            problem(r, around, NULL, "OCCURS", x->scan.at, spot->name, SLICE("stands more than once"),
                    SLICE("one is allowed here"), ps);
            return NULL;
        }
        n = node_add(outside(g) ? r->arena : x->message_arena, around, g);
    }
    bool named = !element && spot->parent && spot == spot->parent->star;
    if (g->is_message) {
        x->house = x->frames[x->depth].spot;
        r->alone = !element && !named && x->depth > 0;
    }
    n->at = named ? x->key_at : x->scan.at;
    n->inner = x->scan.at;
    n->tail = x->scan.end - 1;
    n->end = x->scan.end;
    if (named && spot->key)
        set_key(r, n, spot->key, ps);
    return n;
}

static const char *event_name(enum jevent e)
{
    switch (e) {
    case JEVENT_OBJECT: return "an object";
    case JEVENT_ARRAY: return "an array";
    case JEVENT_STRING: return "a text";
    case JEVENT_NUMBER: return "a number";
    default: return "true or false";
    }
}

/* Another kind of value stands where the format has that spot. */
static void wrong_kind(struct reader *r, const struct jspot *spot, struct node *around, struct problems *ps)
{
    struct jread *x = r->state;
    const char *want = spot->many || spot->list ? "expected an array here" : spot->value && !spot->nkids
            ? "expected a single value here" : "expected an object here";
    const struct field *f = spot->value && !spot->group ? spot->value : NULL;
    struct slice text = spot->parent && spot != spot->parent->star
                            ? arena_printf(&x->scratch, "\"%.*s\" is %s", SLICE_ARG(spot->name),
                                    event_name(x->scan.event))
                            : arena_printf(&x->scratch, "%s stands here", event_name(x->scan.event));

    problem(r, f && of_file(r, f->group) ? r->file : around, f, "JSON_KIND", x->scan.at, slice_none(), text,
            slice_of(want), ps);
}

static bool arena_is_over(struct reader *r, struct problems *ps)
{
    struct jread *x = r->state;

    if (x->message_arena->used <= r->limits->message)
        return false;
    problem(r, x->message, NULL, "LIMIT_MESSAGE", x->message->inner, slice_none(),
            SLICE("the message needs more memory than one may take"), slice_none(), ps);
    return true;
}

/* END = a message is complete; OK also for members of the file on a line of their own; STOP: more is on its line. */
static int end_group(struct reader *r, struct node *n, struct problems *ps)
{
    struct jread *x = r->state;

    n->tail = x->scan.end - 1;
    n->end = x->scan.end;
    if (x->message && !x->drop && arena_is_over(r, ps))
        x->drop = true;
    if (!n->group->is_message)
        return OK;
    if (!x->plan->lines)
        return END;
    if (jscan_line_end(&x->scan, &n->end) != OK)
        return STOP;
    if (!x->file_seen || x->message_seen)
        return END;
    x->message = NULL;
    r->messages--;
    return OK;
}

static void push(struct jread *x, const struct jspot *spot, struct node *node, bool array)
{
    x->frames[++x->depth] = (struct jframe){ .spot = spot, .node = node, .array = array };
}

static void array(struct reader *r, const struct jspot *spot, struct node *around, bool element, struct problems *ps)
{
    struct jread *x = r->state;
    const struct jspot *of = !element && spot->group && !spot->list ? spot : spot->star;

    if (!of || !of->group) {
        wrong_kind(r, spot, around, ps);
        x->skip = 1;
        return;
    }
    if (of->group->is_message && !x->house_seen) {
        x->house_seen = true;
        x->first_house = of;
        x->house_at = x->scan.at;
        x->house_end = 0;
    }
    push(x, of, around, true);
}

static void object(struct reader *r, struct arena *a, const struct jspot *spot, struct node *around, bool element,
                   struct problems *ps)
{
    struct jread *x = r->state;
    struct node *n = around;

    if (!spot->nkids && !(spot->group && !spot->value)) {
        wrong_kind(r, spot, around, ps);
        x->skip = 1;
        return;
    }
    if (spot->group)
        n = begin_group(r, a, spot, around, element, ps);
    if (!n) {
        x->skip = 1;
        return;
    }
    if (spot->star && spot->star->group && spot->star->group->is_message && !x->house_seen) {
        x->house_seen = true;
        x->first_house = spot;
        x->house_at = x->scan.at;
        x->house_end = 0;
    }
    push(x, spot, n, false);
}

static int scalar(struct reader *r, struct arena *a, const struct jspot *spot, struct node *around, bool element,
                  struct problems *ps)
{
    struct jread *x = r->state;
    bool null = x->scan.event == JEVENT_NULL;

    if (null && !element && !spot->value && spot->parent && spot != spot->parent->star)
        return OK;                              /* as if the member were not there */
    if (!spot->value && !(null && spot->group)) {
        wrong_kind(r, spot, around, ps);
        return OK;
    }
    struct node *n = spot->group ? begin_group(r, a, spot, around, element, ps) : owner_of(r, spot->value->group,
            around);
    if (!n)
        return OK;
    if (spot->value)
        set_value(r, n, spot->value, element || (spot->parent && spot == spot->parent->star), ps);
    return spot->group ? end_group(r, n, ps) : OK;
}

static int close_frame(struct reader *r, struct problems *ps)
{
    struct jread *x = r->state;
    struct jframe *f = &x->frames[x->depth--];

    if (x->house_seen && !x->house_end && x->scan.depth < r->limits->depth
            && x->scan.open[x->scan.depth].at == x->house_at)
        x->house_end = x->scan.end;
    return !f->array && f->spot->group ? end_group(r, f->node, ps) : OK;
}

static void name(struct reader *r)
{
    struct jread *x = r->state;
    struct jframe *f = &x->frames[x->depth];
    struct jscan *s = &x->scan;
    const struct jspot *k = jplan_kid(f->spot, s->text, &f->hint);

    x->next = x->drop ? NULL : k;
    x->key_at = s->at;
    x->key_end = s->end;
    s->max = k && k->value && k->value->type == TYPE_BINARY ? r->limits->binary : r->limits->field;
    if (k && k->key) {
        x->key.n = 0;
        buf_add(&x->key, s->text);
    }
}

/* ---- the loop ---- */

/* May this value stand on a line of its own?  An array would be several messages that are refused as one. */
static bool is_line(const struct jspot *spot, enum jevent e)
{
    return e == JEVENT_OBJECT || e == JEVENT_NULL || (e != JEVENT_ARRAY && spot && spot->value);
}

static int event(struct reader *r, struct arena *a, struct problems *ps)
{
    struct jread *x = r->state;
    enum jevent e = x->scan.event;

    if (e == JEVENT_NAME) {
        if (!x->skip)
            name(r);
        return OK;
    }
    if (x->skip) {
        x->skip += e == JEVENT_OBJECT || e == JEVENT_ARRAY;
        x->skip -= e == JEVENT_CLOSE;
        return OK;
    }
    if (e == JEVENT_CLOSE)
        return close_frame(r, ps);
    struct jframe *f = &x->frames[x->depth];
    const struct jspot *spot = f->array ? f->spot : x->next;
    bool element = f->array && x->depth > 0;
    if (x->depth == 0) {
        x->file_seen = x->message_seen = false;
        x->key_at = x->scan.at;
        if (x->plan->lines && !is_line(spot, e))
            return jscan_refuse(&x->scan, x->scan.at, "JSON_KIND", "this line is no object",
                                "with `syntax json lines` each line is the object of one message");
    }
    if (!spot || x->drop) {
        x->skip = e == JEVENT_OBJECT || e == JEVENT_ARRAY;
        return OK;
    }
    if (e == JEVENT_ARRAY)
        array(r, spot, f->node, element, ps);
    else if (e == JEVENT_OBJECT)
        object(r, a, spot, f->node, element, ps);
    else
        return scalar(r, a, spot, f->node, element, ps);
    return OK;
}

static int finish_message(struct reader *r, struct node **msg_out, struct problems *ps)
{
    struct jread *x = r->state;

    *msg_out = x->message;
    if (r->messages == 1)
        r->head_end = x->message->at;
    bool same = (x->house == x->house_before && !r->alone) || r->messages == 1;
    r->gap = (struct span){ r->tail_at, same ? r->tail_at : x->message->at };
    x->house_before = x->house;
    r->tail_at = x->message->end;
    if (!x->drop) {
        int rc = node_check(x->message, x->message_arena, ps);
        x->status = rc > x->status ? rc : x->status;
    }
    x->message = NULL;
    x->drop = false;
    x->message_arena = r->arena;
    x->room = x->room_end = NULL;
    return x->status;
}

/* A line that is not JSON is one bad message; the next line is read on. */
static int bad_line(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct jread *x = r->state;

    if (!x->message)
        begin_message(r, a, x->plan->top->group, ps);
    x->message->at = x->message->inner = x->scan.document_at;
    x->drop = true;
    x->status = SKIP;
    jscan_resync(&x->scan);
    x->message->end = source_offset(r->source, r->source->at);
    x->message->tail = x->message->end;
    x->depth = x->skip = 0;
    return finish_message(r, msg_out, ps);
}

/* The path of the messages as in JSON, for the warning that nothing is there. */
static struct slice way(struct arena *a, const struct jspot *s)
{
    return s->parent ? arena_printf(a, "%.*s/%.*s", SLICE_ARG(way(a, s->parent)), SLICE_ARG(s->name)) : SLICE("");
}

static int finish_file(struct reader *r, struct problems *ps)
{
    struct jread *x = r->state;
    const struct group *g = r->format->nmessages ? r->format->messages[0] : NULL;
    const struct jspot *s = g ? x->plan->of_group[g->id] : NULL;

    if (r->messages == 0) {
        r->head_end = r->tail_at = source_offset(r->source, r->source->at);
        if (!x->house_seen && s && s->parent && !x->file_bad)
            problem_addf(ps, PROBLEM_WARNING, "JSON_NO_MESSAGES", (struct place){ .file = r->source->name,
                    .offset = 0 },
                         "the document has nothing at %.*s, so there are no messages in it", SLICE_ARG(way(ps->arena,
                                 s)));
    }
    if (node_check(r->file, r->arena, ps) != OK || x->file_bad)
        return STOP;
    return END;
}

static int read_events(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct jread *x = r->state;
    int rc;

    while ((rc = jscan_next(&x->scan)) == OK) {
        rc = event(r, a, ps);
        if (rc == END)
            return finish_message(r, msg_out, ps);
        if (rc != OK)
            break;
    }
    if (rc == END)
        return finish_file(r, ps);
    return rc == STOP && x->scan.recoverable && x->plan->top->group ? bad_line(r, a, msg_out, ps) : rc;
}

int jread_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct jread *x = r->state;
    uint64_t before = ps->message;

    x->scan.problems = ps;
    if (x->plan->lines)
        ps->message = r->messages + 1;
    int rc = read_events(r, a, msg_out, ps);
    ps->message = before;
    return rc;
}

int jread_open(struct reader *r, struct problems *ps)
{
    struct jread *x = arena_zero(r->arena, sizeof *x);

    r->state = x;
    if (!r->format) {
        problem_addf(ps, PROBLEM_ERROR, "SYNTAX_UNKNOWN", (struct place){ .file = r->source->name,
                .offset = PLACE_NO_OFFSET },
                     "JSON is read by a format");
        return STOP;
    }
    x->plan = r->format->plan[0];
    r->between = x->plan->lines ? slice_none() : SLICE(",");
    x->message_arena = r->arena;
    x->frames = arena_zero(r->arena, (r->limits->depth + 2) * sizeof *x->frames);
    r->file = node_new(r->arena, r->format->file_group, NULL);
    x->frames[0] = (struct jframe){ .spot = x->plan->top, .node = r->file, .array = true };
    jscan_open(&x->scan, r->source, r->limits, x->plan->lines, r->arena, ps);
    return OK;
}

void jread_close(struct reader *r)
{
    struct jread *x = r->state;

    if (!x)
        return;
    jscan_close(&x->scan);
    buf_release(&x->key);
    arena_release(&x->scratch);
}

int jread_inspect(struct source *source, struct buf *json, struct problems *ps)
{
    struct arena a;
    struct jscan s;
    int rc;

    arena_init(&a, 0);
    jscan_open(&s, source, source->limits, false, &a, ps);
    s.either = true;
    s.max = source->limits->binary;
    while ((rc = jscan_next(&s)) == OK)
        ;
    json_key(json, "encoding");
    buf_add_json(json, SLICE("UTF-8"));
    json_number(json, "values", (int64_t)s.values);
    jscan_close(&s);
    arena_release(&a);
    return rc == END ? OK : rc;
}

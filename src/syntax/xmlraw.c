/*
 * Without a format: each element below the root is a message of the group Element, which holds its name, namespace
 * and text, its attributes and, as instances of the same group, the elements in it.  The file has Root and Namespace.
 */
#include "xmlread.h"

#include "xmlsax.h"

struct raw {
    struct format *format;
    struct group *element, *attribute;
    struct field *root, *root_uri, *name, *uri, *text, *attr_name, *attr_value;
    struct node *open;                  /* the innermost element that is kept */
    size_t depth;
};

int xraw_open(struct reader *r, struct problems *ps)
{
    struct xread *x = r->state;
    struct raw *w = arena_zero(r->arena, sizeof *w);
    struct group *file = format_new(r->arena, "raw", "xml", &w->format);

    (void)ps;
    x->raw = w;
    w->root = group_add_field(r->arena, file, "Root", TYPE_TEXT);
    w->root_uri = group_add_field(r->arena, file, "Namespace", TYPE_TEXT);
    w->element = group_add(r->arena, file, "Element", 0, OCCURS_MANY);
    struct group *self = group_add(r->arena, w->element, "Element", 0, OCCURS_MANY);
    w->attribute = group_add(r->arena, w->element, "Attribute", 0, OCCURS_MANY);
    w->name = group_add_field(r->arena, w->element, "Name", TYPE_TEXT);
    w->uri = group_add_field(r->arena, w->element, "Namespace", TYPE_TEXT);
    w->text = group_add_field(r->arena, w->element, "Text", TYPE_TEXT);
    w->attr_name = group_add_field(r->arena, w->attribute, "Name", TYPE_TEXT);
    w->attr_value = group_add_field(r->arena, w->attribute, "Value", TYPE_TEXT);
    w->element->is_message = true;
    format_finish(r->arena, w->format);
    /* An element holds elements: the group stands in its own list, at the index that it has in the file. */
    w->element->groups[self->index] = w->element;
    r->file = node_new(r->arena, file, NULL);
    return OK;
}

static void put(struct arena *a, struct node *n, const struct field *f, struct slice text)
{
    struct slice own = arena_copy(a, text.n ? text : (struct slice){ "", 0 });
    struct value *v = node_value(n, f);

    v->p = own.p;
    v->n = (uint32_t)own.n;
    v->state = own.n ? VALUE_PRESENT : VALUE_EMPTY;
}

static void start(struct reader *r, struct arena *a)
{
    struct xread *x = r->state;
    struct raw *w = x->raw;
    const struct xscan *s = &x->scan;
    struct slice uri = xscan_uri(s, (struct slice){ s->name.p, s->prefix });

    if (++w->depth == 1) {
        put(r->arena, r->file, w->root, xscan_local(s->name, s->prefix));
        put(r->arena, r->file, w->root_uri, uri);
        return;
    }
    struct node *n = node_new(a, w->element, w->open ? w->open : r->file);
    if (w->open)
        node_append(w->open, n);
    else if (r->messages++ == 0)
        r->head_end = s->at;
    w->open = n;
    n->at = s->at;
    n->inner = s->end;
    put(a, n, w->name, xscan_local(s->name, s->prefix));
    put(a, n, w->uri, uri);
    for (size_t i = 0; i < s->nattrs; i++) {
        struct node *attr = node_add(a, n, w->attribute);
        put(a, attr, w->attr_name, xscan_local(s->attrs[i].name, s->attrs[i].prefix));
        put(a, attr, w->attr_value, s->attrs[i].value);
        node_value(attr, w->attr_value)->at = s->attrs[i].at;
        node_value(attr, w->attr_value)->len = s->attrs[i].len;
        node_value(attr, w->attr_value)->form = VALUE_ATTRIBUTE;
    }
}

/* Text of an element; blanks between elements are none. */
static void text(struct xread *x, struct arena *a)
{
    struct raw *w = x->raw;
    const struct xscan *s = &x->scan;

    if (!w->open || (slice_trim(s->text).n == 0 && !s->cdata))
        return;
    struct value *v = node_value(w->open, w->text);
    size_t n = v->n + s->text.n;
    if (v->state != VALUE_PRESENT || n > (size_t)1 << v->spare) {       /* spare: log2 of the room that the text has */
        unsigned log = 4;
        while ((size_t)1 << log < 2 * n)
            log++;
        char *room = arena_alloc(a, (size_t)1 << log);
        if (v->n)
            memcpy(room, v->p, v->n);
        v->p = room;
        v->spare = (uint16_t)log;
        v->state = VALUE_PRESENT;
    }
    memcpy((char *)(uintptr_t)v->p + v->n, s->text.p, s->text.n);
    v->n = (uint32_t)n;
}

int xraw_next(struct reader *r, struct arena *a, struct node **msg_out, struct problems *ps)
{
    struct xread *x = r->state;
    struct raw *w = x->raw;
    struct xscan *s = &x->scan;
    int rc;

    s->problems = ps;
    w->open = NULL;
    while ((rc = x->sax ? xsax_next(x->sax) : xscan_next(s)) == OK) {
        if (s->event == XEVENT_START) {
            start(r, a);
        } else if (s->event == XEVENT_TEXT) {
            text(x, a);
        } else if (--w->depth > 0) {
            struct node *n = w->open;
            n->tail = s->at;
            n->end = r->tail_at = s->end;
            w->open = w->depth == 1 ? NULL : n->parent;
            *msg_out = n;
            if (w->depth == 1)
                return OK;
        }
        if (a->used > r->limits->message) {
            problem_addf(ps, PROBLEM_ERROR, "LIMIT_MESSAGE", (struct place){ .file = r->source->name, .offset = s->at },
                         "the message needs more memory than one may take");
            return STOP;
        }
    }
    return rc;
}

/* What the XML tests share: a format and a document from text, problems and trees as text, a document patched. */
#ifndef TESTS_UNIT_XMLKIT_H
#define TESTS_UNIT_XMLKIT_H

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "conf/conf.h"
#include "syntax/syntax.h"
#include "unit/formatkit.h"

#define KIT_24SO "syntax xml indent \"  \"\nencoding utf-8\nnamespace \"http://24sevenOffice.com/webservices\"\n" \
    "default text nothing blank\ndefault integer nothing \"-2147483648\"\n" \
    "default decimal nothing (\"-79228162514264337593543950335\", \"-1.7976931348623157E+308\")\n" \
    "default datetime pattern \"yyyy-MM-ddTHH:mm:ss\" nothing \"0001-01-01T00:00:00\"\n"
#define KIT_ORDERS KIT_24SO "shape Address {\n Street text\n State text\n PostalCode text\n PostalArea text\n Name text\n City text\n Country text\n}\n" \
    "message InvoiceOrder at /GetInvoicesResponse/GetInvoicesResult/InvoiceOrder key OrderId {\n OrderId integer\n CustomerId integer\n" \
    " CustomerName text\n CustomerDeliveryName text\n CustomerDeliveryPhone text\n group Addresses {\n  Delivery Address\n  Invoice Address\n }\n" \
    " OrderStatus text\n YourReference text\n InvoiceTitle text\n InvoiceEmailAddress text\n" \
    " group InvoiceRow 0..* at InvoiceRows/InvoiceRow {\n  ProductId integer\n  RowId integer\n  Name text\n  Quantity decimal\n" \
    "  Type text code (Normal, Text, TextBold)\n }\n DeliveryDate datetime\n ReferenceNumber text\n group DeliveryMethod {\n  Id integer\n" \
    "  Description text\n }\n}\n"
#define KIT_PRODUCTS KIT_24SO "message Product at /GetProductsResponse/GetProductsResult/Product key Id {\n Id integer\n No text\n Name text\n" \
    " Description text\n EAN1 text\n Weight decimal\n Stock decimal\n}\n"
#define KIT_COMPANIES KIT_24SO "shape Address {\n Street text\n State text\n PostalCode text\n PostalArea text\n City text\n Country text\n}\n" \
    "message Company at /GetCompaniesResponse/GetCompaniesResult/Company key Id {\n Id integer required\n Name text\n Post Address at Addresses/Post\n" \
    " group Phone at PhoneNumbers {\n  Mobile text at Mobile/Value\n  Primary text at Primary/Value\n  Work text at Work/Value\n  Home text at Home/Value\n }\n" \
    " group Email at EmailAddresses {\n  Invoice text at Invoice/Value\n  Primary text at Primary/Value\n  Work text at Work/Value\n" \
    "  Home text at Home/Value\n  Alternative text at Alternative/Value\n }\n Type text\n}\n"
#define KIT_ARTICLES "syntax xml indent \"  \"\nencoding utf-8\nGoodsOwner text at /Articles/@goodsOwner\n" \
    "message ArticleDefinition at /Articles/ArticleDefinition key ProductCode {\n ArticleOperation text\n ArticleIdentification text\n" \
    " ProductCode text required\n ArticleNumber text required\n ArticleName text\n ArticleDescription text\n BarCode text\n Weight decimal\n}\n"
#define KIT_SENT KIT_24SO "message InvoiceOrder at /UpdateInvoices/InvoiceOrder key OrderId {\n OrderId integer required\n OrderStatus text required\n}\n"
#define KIT_STOCK KIT_24SO "message SetStockQuantity at /StockUpdates/SetStockQuantity key productId {\n productId integer required\n" \
    " stockQuantity decimal required\n}\n"
#define KIT_CUSTOMER_ORDERS "syntax xml indent \"  \"\nencoding utf-8\ndefault datetime pattern \"yyyy-MM-ddTHH:mm:ss\"\n" \
    "GoodsOwner text at /CustomerOrders/@goodsOwner\nmessage CustomerOrder at /CustomerOrders/CustomerOrder key OrderInfo/GoodsOwnerOrderNumber {\n" \
    " group OrderInfo 1 {\n  GoodsOwnerOrderNumber text required\n  DeliveryDate datetime\n  ReferenceNumber text\n  SalesCode text\n  WayOfDelivery text\n" \
    "  group WayOfDeliveryType {\n   Code text\n   Name text\n  }\n  OrderRemark text\n }\n group Customer 1 {\n  CustomerNumber text\n  Name text\n" \
    "  Address text\n  PostCode text\n  City text\n  CountryCode text\n  CountryStateCode text\n  MobilePhone text\n  TelePhone text\n  Email text\n" \
    "  group InvoiceAddress {\n   Name text\n   Address text\n   PostCode text\n   City text\n   CountryCode text\n   CountryStateCode text\n  }\n }\n" \
    " group CustomerOrderLine 1..* at CustomerOrderLines/CustomerOrderLine key ExternalOrderLineCode {\n  OrderLineIdentification text\n" \
    "  ExternalOrderLineCode text required\n  ProductCode text required\n  NumberOfItems decimal required\n }\n}\n"
#define KIT_SUPPLIERS "syntax xml indent \"  \"\nencoding utf-8\nGoodsOwner text at /Suppliers/@goodsOwner\n" \
    "message Supplier at /Suppliers/Supplier key SupplierNumber {\n SupplierNumber text required\n SupplierName text\n group Address {\n" \
    "  Address text\n  PostCode text\n  City text\n  CountryCode text\n }\n}\n"

struct kit {
    struct arena arena, message;
    struct problems problems;
    struct format *format;
    struct source source;
    struct reader reader;
    struct buf out;
    int rc;
    bool exact;                     /* of the writer */
};

static inline bool kit_format(struct kit *k, const char *format)
{
    *k = (struct kit){ 0 };
    arena_init(&k->arena, 0);
    arena_init(&k->message, limits_default.message);
    problems_init(&k->problems, &k->arena, 0);
    k->format = format_of(&k->arena, format, &k->problems);
    return k->format;
}

static inline void kit_show(struct kit *k)
{
    for (struct problem *p = k->problems.first; p; p = p->next)
        problem_show(&k->out, p);
    buf_byte(&k->out, '\0');
    fprintf(stderr, "%s", k->out.p);
    k->out.n = 0;
}

static inline void kit_open(struct kit *k, const char *format, struct slice text)
{
    if (!kit_format(k, format)) {
        kit_show(k);
        abort();
    }
    source_open_text(&k->source, text, "test.xml", NULL);
    source_locate(&k->source, &k->problems);
    k->reader = (struct reader){ .source = &k->source, .format = k->format, .places = true };
    k->rc = reader_open(&k->reader, &k->arena, &k->problems);
}

static inline struct node *kit_next(struct kit *k)
{
    struct node *m = NULL;

    k->rc = k->rc >= STOP ? k->rc : reader_read(&k->reader, &k->message, &m, &k->problems);
    return k->rc < STOP && k->rc != END ? m : NULL;
}

/* The trees of all good messages, statuses of the others, then `/` and the members of the file; then problems. */
static inline const char *kit_dump(struct kit *k)
{
    struct node *m;

    while ((m = kit_next(k)) != NULL) {
        if (k->rc <= WARN)
            node_dump(&k->out, m);
        else
            buf_printf(&k->out, "refused\n");
        arena_reset(&k->message);
    }
    if (k->rc == END && k->format->file_group->nfields)
        node_dump(&k->out, k->reader.file);
    for (struct problem *p = k->problems.first; p; p = p->next)
        buf_printf(&k->out, "%s %u:%u\n", p->code, p->place.line, p->place.column);
    buf_byte(&k->out, '\0');
    k->out.n--;
    return k->out.p;
}

static inline void kit_close(struct kit *k)
{
    reader_close(&k->reader);
    source_close(&k->source);
    buf_release(&k->out);
    arena_release(&k->message);
    arena_release(&k->arena);
}

/* The document read and written by one format. */
static inline struct slice kit_rewrite(struct kit *k, struct sink *sink)
{
    struct writer w = { .sink = sink, .format = k->format, .file = k->reader.file, .exact = k->exact };
    struct node *m;

    sink_open_memory(sink, "out.xml");
    writer_open(&w, &k->arena, &k->problems);
    while ((m = kit_next(k)) != NULL)
        writer_write(&w, m, &k->problems);
    writer_close(&w, &k->problems);
    sink_close(sink, &k->problems);
    return buf_slice(&sink->buf);
}

/* The original with the edits applied; n 0 when that was refused. */
static inline struct slice kit_patch(struct kit *k, struct patcher *p, struct edits *edits, struct slice original, struct sink *sink)
{
    struct source again;

    sink_open_memory(sink, "out.xml");
    if (patcher_add(p, edits, &k->problems) > WARN)
        return (struct slice){ "", 0 };
    source_open_text(&again, original, "test.xml", NULL);
    return patch_run(p, &again, sink, &k->problems) == OK ? buf_slice(&sink->buf) : (struct slice){ "", 0 };
}

static inline struct slice kit_file(struct arena *a, const char *path)
{
    struct problems ps;
    struct slice text = { "", 0 };

    problems_init(&ps, a, 0);
    if (file_read(a, path, 0, &text, &ps) != OK)
        fprintf(stderr, "%s is missing\n", path);
    return text;
}

#endif

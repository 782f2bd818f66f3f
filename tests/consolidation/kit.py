"""Cases of order consolidation as files, through the program, and back.

A case has settings, customers, invoices and orders in the form of decision_cases.json. They become the files that
entrée and the web shops write; the program reads them with the mappings of mappings/necs.
"""
import csv
import glob
import json
import os
import re
import shutil
import subprocess
import time

HEAD = ["InvoiceNo", "Created", "ShipTo", "DeliveryDate", "LockedBy", "Canceled", "CreditHold", "Printed", "PONumber",
        "Comment", "PrintOnLSOnly", "OrderGiver", "Salesperson", "Route", "Revision"]
LINE = ["Item", "Type", "ReturnCode", "Quantity", "Unit", "Price", "UserPrice", "Desc1", "Desc2", "Desc3", "Desc4",
        "SourceLineID", "Cut", "PriceRequest"]
ORDER = ["Source", "OrderNo", "ShipTo", "DeliveryDate", "PONumber", "Comment", "PrintOnLSOnly", "OrderGiver",
         "Salesperson", "Route", "Line"]
# what a setting is when a case does not say otherwise
SETTINGS = {"enable": True, "allow_printed": False, "po_mode": "match", "item_mode": "merge",
            "price_conflict": "keep_both", "credit_mode": "merge", "assign_salesperson": False, "addon_only": False,
            "allow_credits": True}
COLUMNS = {"enable": "Enable", "allow_printed": "AllowPrinted", "po_mode": "PoMode", "item_mode": "ItemMode",
           "price_conflict": "PriceConflict", "credit_mode": "CreditMode", "assign_salesperson": "AssignSalesperson",
           "addon_only": "AddonOnly", "allow_credits": "AllowCredits"}


def letters(n):
    text = ""
    while n:
        n, rest = divmod(n - 1, 26)
        text = chr(65 + rest) + text
    return text


def number(text):
    n = 0
    for c in text:
        n = n * 26 + ord(c) - 64
    return n


def yn(b):
    return "Y" if b else "N"


def day(iso):
    parts = iso.split("-")
    return f"{parts[1]}/{parts[2]}/{parts[0]}" if len(parts) == 3 else iso


def line_cells(l):
    return [l["item"], l["type"], l["ret"], l["qty"], l["uom"], l["price"], yn(l["user"]), *l["desc"], l["src"],
            l["cut"], l["pcr"]]


def write_csv(path, head, rows):
    with open(path, "w", newline="", encoding="windows-1252") as f:
        out = csv.writer(f, lineterminator="\r\n")
        out.writerow(head)
        out.writerows(rows)


def read_csv(path):
    with open(path, newline="", encoding="windows-1252") as f:
        return list(csv.DictReader(f))


def settings_rows(settings):
    """The rows of the table in a case.conf or site.conf."""
    text = "    Source " + " ".join(COLUMNS.values()) + "\n"
    for source, own in settings.items():
        row = {**SETTINGS, **own}
        cells = ['""' if row[k] == "" else {True: "yes", False: "no"}.get(row[k], row[k]) for k in COLUMNS]
        text += f"    {'all' if source == '*' else source} {' '.join(cells)}\n"
    return text


def write_case_conf(path, settings, imported, first):
    with open(path, "w") as f:
        if settings:
            f.write("table settings {\n" + settings_rows(settings) + "}\n")
        f.write('table customers "customers.csv" format customers\n')
        f.write('table imported "imported.csv"\n' if imported else "table imported of batch\n")
        f.write(f'sequence invoice-number from {first}\nsequence invoice-created from {first}\n')
        f.write('time "2026-01-02T03:04:05"\n')


def write_files(dir, settings, customers, invoices, orders, first=900, imported=()):
    write_csv(f"{dir}/invoices.csv", HEAD, [
        [i["no"], i["seq"], i["shipto"], day(i["deliv"]), i["locked_by"], yn(i["status"] == "canceled"),
         i["credit_hold"], yn(i["printed"]), i["po"], i["comment"], yn(i["ls_only"]), i["giver"], i["salesperson"],
         i["route"], letters(i["rev"])] for i in invoices])
    write_csv(f"{dir}/invoice_lines.csv", ["InvoiceNo"] + LINE + ["Rev"], [
        [i["no"], *line_cells(l), letters(l["rev"])] for i in invoices for l in i["lines"]])
    write_csv(f"{dir}/orders.csv", ORDER + LINE + ["DescModified"], [
        [o["source"], o["no"], o["shipto"], day(o["deliv"]), o["po"], o["comment"], yn(o["ls_only"]), o["giver"],
         o["salesperson"], o["route"], n + 1, *line_cells(l), yn(l["mod"])]
        for o in orders for n, l in enumerate(o["lines"])])
    write_csv(f"{dir}/customers.csv", ["ShipTo", "Name", "AllowAutomaticOrderConsolidation"], [
        [k, k, yn(v if isinstance(v, bool) else v.get("allow", True))] for k, v in customers.items()])
    if imported:
        write_csv(f"{dir}/imported.csv", ["Source", "OrderNo", "Invoice", "Revision"], imported)
    write_case_conf(f"{dir}/case.conf", settings, imported, first)


class Program:
    def __init__(self, path, mappings):
        self.path, self.mappings = os.path.abspath(path), os.path.abspath(mappings)
        self.env = {**os.environ, "WAYBILL_PATH": self.mappings, "LC_ALL": "C"}

    def convert(self, dir, map, *args, good=(0, 1)):
        run = subprocess.run([self.path, "convert", "-m", f"{self.mappings}/{map}.map", *args], cwd=dir, env=self.env,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if run.returncode not in good:
            raise SystemExit(f"{map}: exit code {run.returncode}\n{run.stderr.decode(errors='replace')}")
        return run

    def import_orders(self, dir):
        """The way of real files: state of the invoices, orders, consolidation, invoices for entrée."""
        self.convert(dir, "invoice-state", "-l", "lines=invoice_lines.csv", "-o", "before.jsonl", "invoices.csv")
        self.convert(dir, "stage", "-o", "orders.jsonl", "orders.csv")
        self.convert(dir, "consolidate", "-c", "case.conf", "--original", "before.jsonl", "-o", "after.jsonl", "--json",
                     "--why", "why.jsonl", "orders.jsonl")
        self.convert(dir, "invoices", "-L", "lines=lines_after.csv", "-o", "invoices_after.csv", "after.jsonl", good=(0,))

    def drop(self, dir, site, inbox, *names):
        os.makedirs(f"{site}/inbox/{inbox}", exist_ok=True)
        for name in names:
            shutil.copy(f"{dir}/{name}", f"{site}/inbox/{inbox}/{name}")
            os.utime(f"{site}/inbox/{inbox}/{name}", (time.time() - 100, time.time() - 100))

    def run(self, site):
        run = subprocess.run([self.path, "run", "-q", "-n", site], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if run.returncode not in (0, 1):
            raise SystemExit(f"site: exit code {run.returncode}\n{run.stderr.decode(errors='replace')}")
        return run

    def run_site(self, dir, settings, imported, first=900):
        """The same in a site: the files are dropped, flows take them in, one stages and imports the orders and writes the result."""
        site = f"{dir}/site"
        shutil.copytree(self.mappings, f"{site}/mappings", ignore=shutil.ignore_patterns("*.test", "site.conf", "README.md"))
        with open(f"{self.mappings}/site.conf") as f:
            conf = f.read()
        conf = re.sub(r"(?s)(table settings key Source \{\n).*?\}", lambda m: m[1] + settings_rows(settings) + "}", conf, count=1)
        conf = re.sub(r"(sequence [a-z-]+) +from \d+", rf"\1 from {first}", conf)
        if imported:                    # what earlier batches have imported
            rows = "".join(f"    {' '.join(str(x) for x in row)}\n" for row in imported)
            conf = re.sub(r"table imported .*", "table imported {\n    Source OrderNo Invoice Revision\n" + rows + "}", conf)
        with open(f"{site}/site.conf", "w") as f:
            f.write(conf)
        self.drop(dir, site, "invoices", "invoices.csv", "invoice_lines.csv")
        self.drop(dir, site, "customers", "customers.csv")
        self.run(site)
        self.drop(dir, site, "orders", "orders.csv")
        run = self.run(site)
        for pattern, name in (("archive/*/*/*/*.lines.2.jsonl", "why.jsonl"), ("tables/invoices.jsonl", "after.jsonl"),
                              ("outbox/entree/invoices_*.csv", "invoices_after.csv"),
                              ("outbox/entree/invoice_lines_*.csv", "lines_after.csv")):
            found = glob.glob(f"{site}/{pattern}")
            if len(found) != 1:
                raise SystemExit(f"{site}/{pattern}: {len(found)} files\n{run.stderr.decode(errors='replace')}")
            shutil.copy(found[0], f"{dir}/{name}")


def shown_line(row):
    return {"item": row["Item"], "type": row["Type"], "ret": row["ReturnCode"], "qty": row["Quantity"],
            "price": row["Price"], "rev": row["Rev"]}


def read_invoices(dir):
    """Invoice number → header and lines, as the files for entrée say."""
    found = {int(r["InvoiceNo"]): {**r, "lines": []} for r in read_csv(f"{dir}/invoices_after.csv")}
    for row in read_csv(f"{dir}/lines_after.csv"):
        found[int(row["InvoiceNo"])]["lines"].append(row)
    return found


def read_history(dir):
    """Of each order the invoice and revision that it went into: from the revision history."""
    found = {}
    with open(f"{dir}/after.jsonl") as f:
        for text in f:
            invoice = json.loads(text)
            for h in invoice.get("History", []):
                if "OrderNo" in h:
                    found.setdefault((h["Source"], h["OrderNo"]), []).append((invoice["InvoiceNo"], h["Rev"], h["Event"]))
    return found


def read_why(dir):
    with open(f"{dir}/why.jsonl") as f:
        return [json.loads(text) for text in f]


def line_index(path):
    """Line[3] → 2"""
    return int(path[path.index("[") + 1:-1]) - 1


def decision(why, history, order):
    """What became of one order, from what the program says of it."""
    if why["state"] != "done":
        return {"action": "duplicate" if why["code"] == "ALREADY_IMPORTED" else why["state"], "reason": why["code"],
                "invoice": "", "revision": "", "skipped": [], "lines": []}
    invoice, rev, event = history[(order["source"], order["no"])][0]
    tried = why.get("tried", [])
    skipped = [{"invoice": int(t["key"]), "check": t["code"]} for t in tried if t["kind"] == "failed" and "line" not in t]
    left_out = {line_index(f["line"]) for f in why.get("findings", []) if f.get("line") and f["outcome"] == "skip"}
    lines = []
    for n in range(len(order["lines"])):
        own = [t for t in tried if t.get("line") and line_index(t["line"]) == n]
        chosen = next((t for t in own if t["kind"] == "chosen"), None)
        if n in left_out:
            lines.append(("left out", None))
        elif chosen:
            lines.append(("merged", line_index(chosen["key"])))
        else:
            lines.append(("added", [t["code"] for t in own if t["kind"] == "failed"]))
    return {"action": "consolidated" if event == "consolidated" else "new", "reason": why.get("reason", ""),
            "invoice": invoice, "revision": letters(rev), "skipped": skipped, "lines": lines}

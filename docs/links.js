// mdBook makes each link to a Markdown file one to a page of the book. Files outside of the book are no pages.
const outside = "../".repeat(path_to_root.split("../").length);
for (const link of document.querySelectorAll("main a[href]")) {
    const target = link.getAttribute("href");
    if (target.startsWith(outside)) {
        link.setAttribute("href", target.replace(/\.html(?=#|$)/, ".md"));
    }
}

/* Holds back Material's request for the search index until somebody is about to search. */
{
  const { open, send } = XMLHttpRequest.prototype
  const wanted = new Promise(resolve => {
    const search = document.querySelector(".md-search")
    const begins = ["focusin", "pointerenter"].map(event => [search, event])
    begins.push([document.getElementById("__search"), "change"])
    for (const [element, event] of begins) element?.addEventListener(event, resolve, { once: true })
    if (!search || location.search.includes("q=")) resolve()
  })
  XMLHttpRequest.prototype.open = function (method, url, ...rest) {
    this.late = String(url).endsWith("/search_index.json")
    return open.call(this, method, url, ...rest)
  }
  XMLHttpRequest.prototype.send = function (body) {
    if (this.late) wanted.then(() => send.call(this, body))
    else send.call(this, body)
  }
}

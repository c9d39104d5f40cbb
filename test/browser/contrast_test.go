package browser

// contrast is a program for the page that lists texts which are not seen well enough: less than 4.5 to 1, or 3 to 1
// for large ones, as WCAG 2.1 AA has it. Its argument says whether the page is printed: on white, whatever the style
// says of backgrounds.
const contrast = `((printed) => {
	const rgb = (text) => {
		const m = text.match(/rgba?\(([^)]+)\)/);
		if (!m) return [0, 0, 0, 0];
		const n = m[1].split(/[ ,\/]+/).map(Number);
		return [n[0], n[1], n[2], n.length > 3 ? n[3] : 1];
	};
	const luminance = (c) => {
		const [r, g, b] = c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const ratio = (a, b) => {
		const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
		return (x + 0.05) / (y + 0.05);
	};
	const behind = (e) => {
		if (printed && !e.closest("svg")) return [255, 255, 255, 1];
		if (e.tagName === "text") {
			const box = e.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
			const under = [...e.closest("svg").querySelectorAll("rect")].filter(r => {
				const b = r.getBoundingClientRect();
				return b.x <= x && x <= b.right && b.y <= y && y <= b.bottom;
			});
			if (under.length) return rgb(getComputedStyle(under[under.length - 1]).fill);
		}
		for (let at = e; at; at = at.parentElement) {
			const c = rgb(getComputedStyle(at).backgroundColor);
			if (c[3] === 1) return c;
			if (c[3] > 0) throw new Error("a background that is half transparent");
		}
		return [255, 255, 255, 1];
	};
	const out = [];
	let looked = 0;
	const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let node = walker.nextNode(); node; node = walker.nextNode()) {
		const e = node.parentElement;
		if (!node.data.trim() || !e.checkVisibility() || ["SCRIPT", "STYLE", "title"].includes(e.tagName)) continue;
		const s = getComputedStyle(e);
		const color = rgb(e.tagName === "text" ? s.fill : s.color);
		const size = parseFloat(s.fontSize), bold = parseInt(s.fontWeight) >= 700;
		const least = size >= 24 || bold && size >= 18.66 ? 3 : 4.5;
		looked++;
		const got = ratio(color.slice(0, 3), behind(e).slice(0, 3));
		if (got < least) out.push("contrast of " + got.toFixed(2) + " for " + JSON.stringify(node.data.trim().slice(0, 50)));
	}
	if (looked < 10) out.push("there are only " + looked + " texts");
	return out;
})(%t)`
